"""PRImA Layout Analysis Dataset: PATH/XML/pc-ID.xml (PAGE) and PATH/Images/ID.tif.

Antonacopoulos et al. 2009, ICDAR. Magazine and journal pages; regions are polygons, of which the upright box is taken.
The kinds of PAGE become the usual six classes: charts and graphics are ImageRegion; line drawings, noise, frames and
whatever else there is are OtherRegion. Regions inside regions are parts of these and are not read. The set has no split
of its own; set some pages aside with `hold_out`.

XML is read without document types or entities, which is how a small file could grow large or read others.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from distildoc.data.annotations import Repair, Repairs, check_present, mended
from distildoc.data.pageset import PageSet
from distildoc.schema.errors import InputError
from distildoc.schema.images import one_line
from distildoc.schema.pages import Page, Region
from distildoc.schema.sources import image_page
from distildoc.schema.taxonomies import TAXONOMIES

CLASSES = TAXONOMIES["prima"]
MAX_BYTES = 64 << 20  # of an XML file; with the outlines of its glyphs a page has a few megabytes
_CLASS = {
    "TextRegion": "TextRegion",
    "ImageRegion": "ImageRegion",
    "ChartRegion": "ImageRegion",
    "GraphicRegion": "ImageRegion",
    "TableRegion": "TableRegion",
    "MathsRegion": "MathsRegion",
    "SeparatorRegion": "SeparatorRegion",
}


def read(*, path: str | Path, repair: Repair = "mend") -> PageSet:
    """All pages, sorted by name, with six classes; ids are the names of the images.

    Raises InputError where the folders, or images of some files, are not there, and for a file that is no PAGE XML.
    """
    root = Path(path)
    files = sorted((root / "XML").glob("*.xml"))
    if not files:
        raise InputError(f"'{root / 'XML'}' holds no XML file; PRImA has XML/pc-ID.xml and Images/ID.tif")
    repairs = Repairs(root.name, repair)
    pages = [_page(file, root / "Images", repairs) for file in files]
    check_present(((page.id, Path(page.source)) for page in pages), root / "Images", str(root))
    return PageSet(tuple(pages), CLASSES, "PRImA", repairs.lines())


def _page(file: Path, images: Path, repairs: Repairs) -> Page:
    content = _root(file)
    found = [element for element in content if _kind(element) == "Page"]
    if _kind(content) != "PcGts" or not found:
        raise InputError(f"{file}: no PAGE file: expected PcGts with a Page, found {_kind(content)}")
    size = _whole(found[0], "imageWidth", file), _whole(found[0], "imageHeight", file)
    name = f"{file.stem.removeprefix('pc-')}.tif"
    regions = tuple(_regions(found[0], size, repairs, file))
    return replace(image_page(images / name, id=name), regions=regions, size=size)


def _regions(page: ElementTree.Element, size: tuple[int, int], repairs: Repairs, file: Path) -> Iterator[Region]:
    for element in page:
        if not _kind(element).endswith("Region"):
            continue  # reading order, border, layers
        points = _points(element, file)
        if not points:
            repairs.note("regions without an outline", "dropped", f"in {file.name}")
            continue
        columns, rows = zip(*points, strict=True)
        box = mended((min(columns), min(rows), max(columns), max(rows)), size, repairs, where=f"in {file.name}")
        if box is not None:
            yield Region(_CLASS.get(_kind(element), "OtherRegion"), box)


def _points(region: ElementTree.Element, file: Path) -> list[tuple[float, float]]:
    """The outline: Point elements in PAGE of 2010, a list of `x,y` in later versions."""
    coords = next((element for element in region if _kind(element) == "Coords"), None)
    if coords is None:
        return []
    pairs = [(point.get("x", ""), point.get("y", "")) for point in coords]
    pairs += [(x, y) for x, _, y in (pair.partition(",") for pair in coords.get("points", "").split())]
    try:
        points = [(float(x), float(y)) for x, y in pairs]
    except ValueError:
        points = [(math.nan, math.nan)]
    if not all(math.isfinite(x + y) for x, y in points):
        raise InputError(f"{file}: the outline of region '{region.get('id')}' is not a list of points")
    return points


def _root(file: Path) -> ElementTree.Element:
    try:
        size = file.stat().st_size
        raw = file.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({one_line(error)})") from None
    if size > MAX_BYTES:
        raise InputError(f"{file}: {size} bytes, more than the {MAX_BYTES} that are read of a page")
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw or b"\0" in raw:  # NUL: UTF-16 could hide the other two
        raise InputError(f"{file}: document types, entities and UTF-16 are not read; PAGE needs none of them")
    try:
        return ElementTree.fromstring(raw)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise InputError(f"{file}: not valid XML ({one_line(error)})") from None


def _whole(page: ElementTree.Element, name: str, file: Path) -> int:
    text = page.get(name, "")
    if not text.isdecimal() or not 0 < len(text) < 8 or int(text) < 1:
        raise InputError(f"{file}: the page's {name} is '{text[:20]}', not a number of pixels")
    return int(text)


def _kind(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]
