"""Parquet copies of DocLayNet, on the hub (docling-project/DocLayNet-v1.1 and -v1.2) or in a local folder.

A row has `image`, `bboxes` (x, y, width, height; `bbox` in an early revision), `category_id` from 1 in DocLayNet's
order, and `metadata` with the size that the boxes are counted in, the category and the name of the document. The copies
hold no redundant annotations. Needs the extra `data`; the network is used only where `source` is a hub id.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distildoc.data.annotations import Repair, Repairs, mended
from distildoc.data.pageset import PageSet
from distildoc.data.readers.hub import TableRow, image_rows, load_table
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Page, Region
from distildoc.schema.taxonomies import TAXONOMIES

CLASSES = TAXONOMIES["doclaynet"]
AT_ONCE = 512  # rows whose boxes are turned into Python objects together


def read(
    *,
    source: str | Path,
    split: str,
    config: str | None = None,
    revision: str | None = None,
    repair: Repair = "mend",
) -> PageSet:
    """Rows of a split, as pages `SOURCE/SPLIT#ROW`; groups are the categories, documents the names of the PDFs.

    Raises ImportError without the library, InputError for an unknown source or split, a missing column, a row whose
    boxes and classes do not go together, or a class id outside 1 to 11.
    """
    table = load_table(str(source), split, config=config, revision=revision)
    boxes = "bboxes" if "bboxes" in table.column_names else "bbox"
    for column in ("image", boxes, "category_id", "metadata"):
        if column not in table.column_names:
            raise InputError(f"'{source}' is no copy of DocLayNet: it has no column '{column}'")
    where = f"{source}/{split}" if not Path(source).exists() else f"{Path(source).name}/{split}"
    repairs = Repairs(where, repair)
    pictures = image_rows(table, "image")
    rows = _rows(table.select_columns([boxes, "category_id", "metadata"]), boxes)
    pages = [_page(row, TableRow(pictures, index, f"{where}#{index + 1}"), repairs) for index, row in enumerate(rows)]
    return PageSet(tuple(pages), CLASSES, where, repairs.lines())


@dataclass(frozen=True)
class _Row:
    boxes: list[list[float]]
    classes: list[int]
    metadata: Mapping[str, Any]


def _rows(table: Any, boxes: str) -> Iterator[_Row]:
    for some in table.iter(batch_size=AT_ONCE):
        yield from map(_Row, some[boxes], some["category_id"], some["metadata"])


def _page(row: _Row, picture: TableRow, repairs: Repairs) -> Page:
    about = row.metadata or {}
    width, height = about.get("coco_width"), about.get("coco_height")
    if not isinstance(width, int) or not isinstance(height, int) or min(width, height) < 1:
        raise InputError(
            f"{picture.name}: its metadata gives no coco_width and coco_height, in which boxes are counted"
        )
    if len(row.boxes) != len(row.classes):
        raise InputError(f"{picture.name}: {len(row.boxes)} boxes but {len(row.classes)} classes")
    pairs = zip(row.boxes, row.classes, strict=True)
    regions = [_region(box, id, (width, height), repairs, picture.name) for box, id in pairs]
    return Page(
        picture.name,
        picture.name,
        1,
        picture,
        regions=tuple(region for region in regions if region is not None),
        size=(width, height),
        group=about.get("doc_category"),
        document=about.get("original_filename"),
    )


def _region(box: list[float], id: int, size: tuple[int, int], repairs: Repairs, where: str) -> Region | None:
    if not 1 <= id <= len(CLASSES):
        raise InputError(f"{where}: class id {id} is not among 1 to {len(CLASSES)}")
    if len(box) != 4:
        raise InputError(f"{where}: a box has {len(box)} numbers, not x, y, width, height")
    x, y, width, height = box
    kept = mended((x, y, x + width, y + height), size, repairs, where=f"on {where}")
    return None if kept is None else Region(CLASSES[id - 1], kept)
