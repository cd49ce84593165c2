"""One folder a class: PATH/CLASS/..., or PATH/SPLIT/CLASS/... with an explicit split.

A class folder may hold images, multi-page TIFF and PDF, also in folders of its own; each of their pages is one page
of the class. Ids are paths relative to PATH.
"""

from collections.abc import Iterator
from pathlib import Path

from distildoc.data.pageset import PageSet
from distildoc.data.unreadable import labelled
from distildoc.schema.errors import InputError, closest
from distildoc.schema.pages import Page
from distildoc.schema.sources import SUFFIXES, file_pages, page_files

SPLITS = ("train", "val", "valid", "validation", "dev", "test")


def read(*, path: str | Path, split: str | None = None) -> PageSet:
    """Pages and classes of a folder; the classes are the folder names, sorted.

    Raises InputError for a missing folder or split, no class folders, an empty class, and for a folder of splits
    where none is named.
    """
    root = Path(path)
    classes = class_folders(root, split)
    pages = [page for folder in classes for page in labelled_pages(folder, root=root, label=folder.name)]
    name = root.name if split is None else f"{root.name} {split}"
    return PageSet(tuple(pages), tuple(folder.name for folder in classes), name)


def class_folders(root: Path, split: str | None) -> list[Path]:
    """The class folders below a root or one of its splits, sorted by name."""
    inside = subfolders(root)
    names = [folder.name for folder in inside]
    if split is not None:
        if split not in names:
            raise InputError(f"folder '{root}' has no split '{split}'; {closest(split, names)}")
        inside = subfolders(root / split)
    elif names and set(names) <= set(SPLITS) and any(subfolders(folder) for folder in inside):
        raise InputError(f"folder '{root}' holds the splits {', '.join(names)}; name one with `split`")
    if not inside:
        raise InputError(f"folder '{root / (split or '')}' has no class folders; put the pages into CLASS/ folders")
    return inside


def subfolders(root: Path) -> list[Path]:
    """Visible folders of a folder, sorted by name; raises InputError where it does not exist."""
    if not root.is_dir():
        raise InputError(f"no folder '{root}'")
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def labelled_pages(folder: Path, *, root: Path, label: str) -> Iterator[Page]:
    """Pages of one class; raises InputError where the folder holds none."""
    empty = True
    for file in page_files(folder):
        for page in file_pages(file, id=file.relative_to(root).as_posix()):
            empty = False
            yield labelled(page, label)
    if empty:
        raise InputError(f"class folder '{folder}' holds no pages; readable are {' '.join(SUFFIXES)}")
