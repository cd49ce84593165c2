"""Layout drawn in Label Studio: its JSON export (not JSON-MIN), and a folder of the images.

A task names its image in `data`; of its annotations that were not skipped, the one marked as ground truth counts, or
else the first. Rectangles are in per cent of the image; a turned one becomes the upright box around it (Label Studio
turns about the top left corner, clockwise). A task without an annotation is a page whose layout is not known, one whose
annotation is empty a page without regions.

Label Studio writes addresses for images: /data/upload/3/1f2e3d4c-page.png for uploads and, for local files,
/data/local-files/?d=a/page.png. The file is looked for below the images folder under its path, its name, and its name
without the prefix of uploads.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import FailFast, Field, FiniteFloat, TypeAdapter

from distildoc.data.annotations import Repair, Repairs, check_present, mended, read_annotations
from distildoc.data.pageset import PageSet
from distildoc.schema.errors import InputError
from distildoc.schema.images import ImageFile
from distildoc.schema.pages import Box, Page, Region
from distildoc.schema.sources import image_page

_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
Pixels = Annotated[int, Field(ge=1, le=1 << 20)]


@dataclass(frozen=True)
class Shape:
    """The value of a result; per cent of the image, degrees."""

    x: FiniteFloat | None = None
    y: FiniteFloat | None = None
    width: FiniteFloat | None = None
    height: FiniteFloat | None = None
    rotation: FiniteFloat = 0.0
    rectanglelabels: list[str] | None = None


@dataclass(frozen=True)
class Result:
    """One thing that was drawn or chosen."""

    type: str = ""
    value: Shape = field(default_factory=Shape)
    original_width: Pixels | None = None
    original_height: Pixels | None = None
    image_rotation: FiniteFloat = 0.0


@dataclass(frozen=True)
class Annotation:
    """What one person drew on one image."""

    result: list[Result]
    was_cancelled: bool = False
    ground_truth: bool = False


@dataclass(frozen=True)
class Task:
    """One image."""

    id: int | str
    data: dict[str, object]
    annotations: list[Annotation]


_FORM = TypeAdapter(Annotated[list[Task], FailFast()])


def read(
    *,
    path: str | Path,
    images: str | Path,
    field: str = "image",
    labels: Sequence[str] | None = None,
    repair: Repair = "mend",
) -> PageSet:
    """Pages of an export, in its order; ids are the paths of the images below `images`.

    field   the key of `data` that holds the image.
    labels  class names in order; None: those that occur, sorted.
    repair  "strict" makes errors of the faults that are otherwise mended.

    Raises InputError for a file of another form, an image that is not there or stands in two tasks, a class that is
    not among `labels`, a rectangle of two classes, and an image that was turned while it was annotated.
    """
    file, folder = Path(path), Path(images)
    tasks = read_annotations(file, _FORM, what="JSON export of Label Studio")
    repairs = Repairs(str(file), repair)
    places = [_place(task, field, folder, file) for task in tasks]
    check_present(((place.as_posix(), folder / place) for place in places), folder, str(file))
    pages = [_page(task, folder, place, repairs) for task, place in zip(tasks, places, strict=True)]
    found = sorted({region.label for page in pages for region in page.regions or ()})
    return PageSet(tuple(pages), tuple(found if labels is None else labels), file.stem, repairs.lines())


def _page(task: Task, folder: Path, place: PurePosixPath, repairs: Repairs) -> Page:
    page = image_page(folder / place, id=place.as_posix())
    done = [annotation for annotation in task.annotations if not annotation.was_cancelled]
    if not done:
        return page
    marked = [annotation for annotation in done if annotation.ground_truth]
    if len(done) > 1 and not marked:
        repairs.note("images that were annotated more than once", "read from the first annotation", f"'{page.id}'")
    chosen = (marked or done)[0].result
    sizes = [(item.original_width, item.original_height) for item in chosen]
    width, height = next(((w, h) for w, h in sizes if w and h), (None, None))
    size = (width, height) if width and height else ImageFile(folder / place).size()
    return replace(page, regions=tuple(_regions(chosen, size, repairs, page.id)), size=size)


def _regions(results: Sequence[Result], size: tuple[int, int], repairs: Repairs, id: str) -> Iterator[Region]:
    where = f"on image '{id}'"
    for result in results:
        names = result.value.rectanglelabels
        if result.type != "rectanglelabels" or names is None:
            if result.type.endswith("labels"):
                repairs.note("regions that are no labelled rectangles", "left out", where)
            continue
        if result.image_rotation:
            raise InputError(
                f"{repairs.file}: the image '{id}' was turned while it was annotated; turn the file itself"
            )
        if len(names) > 1:
            raise InputError(f"{repairs.file}: a rectangle {where} has several classes: {', '.join(names)}")
        if not names:
            repairs.note("rectangles without a class", "left out", where)
            continue
        box = mended(_box(result.value, size, f"{repairs.file}: a rectangle {where}"), size, repairs, where=where)
        if box is not None:
            yield Region(names[0], box)


def _box(shape: Shape, size: tuple[int, int], where: str) -> Box:
    if shape.x is None or shape.y is None or shape.width is None or shape.height is None:
        raise InputError(f"{where} lacks one of x, y, width, height")
    across, down = size[0] / 100, size[1] / 100
    left, top, wide, high = shape.x * across, shape.y * down, shape.width * across, shape.height * down
    cos, sin = math.cos(math.radians(shape.rotation)), math.sin(math.radians(shape.rotation))
    corners = [(left + x * cos - y * sin, top + x * sin + y * cos) for x in (0.0, wide) for y in (0.0, high)]
    columns, rows = zip(*corners, strict=True)
    return min(columns), min(rows), max(columns), max(rows)


def _place(task: Task, field: str, folder: Path, file: Path) -> PurePosixPath:
    """The image of a task below the folder; the most likely place where it is not there."""
    address = task.data.get(field)
    if not isinstance(address, str) or not address.strip():
        known = ", ".join(task.data) or "nothing"
        raise InputError(f"{file}: task {task.id} has no image under '{field}', only {known}; name it with `field`")
    parts = urlsplit(address)
    text = parse_qs(parts.query).get("d", [unquote(parts.path)])[0].replace("\\", "/").lstrip("/")
    whole = PurePosixPath(text)
    if not whole.name or ".." in whole.parts or "\0" in text:
        raise InputError(f"{file}: task {task.id} names the image '{address[:80]}', which is no path inside a folder")
    for place in (whole, PurePosixPath(whole.name), PurePosixPath(_UPLOAD.sub("", whole.name))):
        if (folder / place).is_file():
            return place
    return PurePosixPath(whole.name)
