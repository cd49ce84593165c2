"""Layout in YOLO form: a folder of images, and beside it a folder of text files with a line a region.

A line is `class cx cy width height`, a number from 0 and shares of the image. Images lie in PATH/images[/SPLIT] with
their lines in PATH/labels[/SPLIT], or in PATH/SPLIT/images and PATH/SPLIT/labels. Class names are those of
PATH/data.yaml (`names`, a list or a mapping) or PATH/classes.txt (a name a line). An image without a text file is a
page without regions. Ids are the paths of the images, relative to PATH.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from distildoc.data.annotations import Repair, Repairs, mended
from distildoc.data.pageset import PageSet
from distildoc.data.readers.folder import subfolders
from distildoc.data.unreadable import labelled
from distildoc.schema.errors import InputError, closest
from distildoc.schema.images import ImageFile, one_line
from distildoc.schema.pages import FailedPage, Page, Region
from distildoc.schema.sources import IMAGE_SUFFIXES, image_page, page_files

MAX_BYTES = 4 << 20  # of a text file: a page of regions has a few kilobytes


def read(
    *, path: str | Path, split: str | None = None, labels: Sequence[str] | None = None, repair: Repair = "mend"
) -> PageSet:
    """Pages and classes of a YOLO folder; `labels` names the classes where no file does.

    Raises InputError for a missing folder, an unknown split, missing class names, no text file at all, and a line
    that is malformed or of a class without a name.
    """
    root = Path(path)
    images, texts = _folders(root, split)
    names = _names(root) if labels is None else tuple(labels)
    files = [file for file in page_files(images) if file.suffix.lower() in IMAGE_SUFFIXES]
    lines = {file: texts / file.relative_to(images).with_suffix(".txt") for file in files}
    if not any(text.is_file() for text in lines.values()):
        raise InputError(f"'{texts}' has no text file for any of the {len(files)} images in '{images}'")
    repairs = Repairs(str(root), repair)
    pages = [_page(file, lines[file], names, repairs, id=file.relative_to(root).as_posix()) for file in files]
    return PageSet(tuple(pages), names, root.name if split is None else f"{root.name} {split}", repairs.lines())


def _folders(root: Path, split: str | None) -> tuple[Path, Path]:
    """(images, texts)."""
    if split is None:
        found = root / "images", root / "labels"
        splits = [folder.name for folder in subfolders(root / "images")] if found[0].is_dir() else []
        if splits and not any(entry.is_file() for entry in found[0].iterdir()):
            raise InputError(f"'{found[0]}' holds the splits {', '.join(splits)}; name one with `split`")
    elif (root / "images" / split).is_dir():
        found = root / "images" / split, root / "labels" / split
    else:
        found = root / split / "images", root / split / "labels"
    if not found[0].is_dir():
        known = [folder.name for folder in subfolders(root)]
        more = f" of the split '{split}'" if split else ""
        raise InputError(f"'{root}' has no folder of images{more}, images/{split or ''}; it holds: {', '.join(known)}")
    return found


def _names(root: Path) -> tuple[str, ...]:
    settings, plain = root / "data.yaml", root / "classes.txt"
    if settings.is_file():
        names = _of_settings(settings)
    elif plain.is_file():
        names = [line.strip() for line in _text(plain).splitlines() if line.strip()]
    else:
        raise InputError(f"'{root}' has neither data.yaml nor classes.txt; name the classes in order with `labels`")
    if not names or len(set(names)) != len(names):
        raise InputError(f"'{root}': class names must be there and differ, found {names[:12]}")
    return tuple(names)


def _of_settings(file: Path) -> list[str]:
    try:
        content = yaml.safe_load(_text(file))
    except yaml.YAMLError as error:
        raise InputError(f"{file}: not valid YAML ({one_line(error)})") from None
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and sorted(names, key=str) == sorted(range(len(names)), key=str):
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{file}: `names` must list the class names, or map numbers from 0 to them")
    return names


def _page(file: Path, text: Path, names: tuple[str, ...], repairs: Repairs, *, id: str) -> Page:
    try:
        size = ImageFile(file).size()
    except InputError as error:
        return labelled(FailedPage(id, str(file), 1, str(error)), None)
    lines = _text(text).splitlines() if text.is_file() else []
    found = [
        _region(line.split(), f"{text}, line {number}", names, size, repairs)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    return replace(image_page(file, id=id), regions=tuple(region for region in found if region is not None), size=size)


def _region(
    parts: list[str], where: str, names: tuple[str, ...], size: tuple[int, int], repairs: Repairs
) -> Region | None:
    try:
        number, (x, y, wide, high) = int(parts[0]), map(float, parts[1:])
    except ValueError:
        shown = " ".join(parts)[:60]
        raise InputError(f"{where}: expected `class cx cy width height`, found '{shown}'") from None
    if not 0 <= number < len(names):
        known = [f"{position} {name}" for position, name in enumerate(names)]
        raise InputError(f"{where}: class {number} has no name; {closest(parts[0], known)}")
    across, down = size
    box = (x - wide / 2) * across, (y - high / 2) * down, (x + wide / 2) * across, (y + high / 2) * down
    kept = mended(box, size, repairs, where=f"in {where}")
    return None if kept is None else Region(names[number], kept)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"{file}: more than {MAX_BYTES} bytes; no file of regions or class names is so large")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as text ({one_line(error)})") from None
