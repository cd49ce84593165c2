"""Regions on disk in COCO's forms, so that any tool can score them again, and back.

truth.json            COCO data set: images, annotations, categories, all numbered from 1 in order; `file_name` is the
                      page id, `group` its kind of document where that is known
detections.json       COCO results: what the detector says
detections_post.json  the same after post-processing, where there was one

Numbers are written to their last digit: what is read back scores the same.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distildoc.evaluate.layout_table import LayoutTable
from distildoc.metrics.detection import LayoutOutcomes
from distildoc.metrics.detection_matching import FoundBoxes, TrueBoxes, coco_results, coco_truth
from distildoc.schema.errors import InputError
from distildoc.schema.json_files import read_json
from distildoc.schema.writing import new_file

TRUTH, DETECTIONS, POST = "truth.json", "detections.json", "detections_post.json"
MAX_BYTES = 2**30  # 5,000 pages of 300 detections take 250 MB
WAY_OUT = "evaluate again"


def write_layouts(table: LayoutTable, folder: Path) -> None:
    """Write the files into a folder."""
    data = coco_truth(table.truth, table.labels)
    rows = zip(data["images"], table.pages, table.sizes, table.groups, strict=True)
    images = [
        {**image, "file_name": page, "width": width, "height": height, **({"group": group} if group else {})}
        for image, page, (width, height), group in rows
    ]
    _write({**data, "images": images}, folder / TRUTH)
    _write(coco_results(table.found), folder / DETECTIONS)
    if table.post is not None:
        _write(coco_results(table.post), folder / POST)


def read_layouts(folder: Path) -> LayoutTable:
    """The table in an evaluation's folder; raises InputError naming the file and field that cannot be used."""
    where = str(folder / TRUTH)
    data = read_json(folder / TRUTH, max_bytes=MAX_BYTES)
    images, categories = _records(data.get("images"), f"{where}: 'images'"), _records(data.get("categories"), where)
    annotations = _records(data.get("annotations"), f"{where}: 'annotations'")
    pages = tuple(str(image.get("file_name")) for image in images)
    if not pages or len(set(pages)) != len(pages):
        raise InputError(f"{where}: no page, or a page twice; {WAY_OUT}")
    labels = tuple(str(category.get("name")) for category in categories)
    numbered = (images, categories)
    if any([one.get("id") for one in ones] != list(range(1, len(ones) + 1)) for ones in numbered):
        raise InputError(f"{where}: images and categories are not numbered from 1 in order; {WAY_OUT}")
    post = folder / POST
    return LayoutTable(
        pages=pages,
        labels=labels,
        sizes=tuple((_whole(image, "width", where), _whole(image, "height", where)) for image in images),
        groups=tuple(str(image["group"]) if image.get("group") else None for image in images),
        truth=tuple(
            TrueBoxes(boxes, classes, extra.astype(bool))
            for boxes, classes, extra in _by_page(
                annotations, "iscrowd", pages=len(pages), classes=len(labels), where=where
            )
        ),
        found=_found(folder / DETECTIONS, len(pages), len(labels)),
        post=_found(post, len(pages), len(labels)) if post.is_file() else None,
    )


def read_layout_predictions(folder: Path) -> LayoutOutcomes:
    """Matches of the raw detections in an evaluation's folder, for comparing runs; raises as `read_layouts`."""
    return read_layouts(folder).outcomes


def _write(content: object, path: Path) -> None:
    with new_file(path) as part:
        part.write_text(json.dumps(content, allow_nan=False) + "\n", encoding="utf-8")


def _found(path: Path, pages: int, classes: int) -> tuple[FoundBoxes, ...]:
    found = _by_page(_results(path), "score", pages=pages, classes=classes, where=str(path))
    return tuple(
        FoundBoxes(boxes.astype(np.float32), classes, scores.astype(np.float32)) for boxes, classes, scores in found
    )


def _results(path: Path) -> Sequence[Mapping[str, object]]:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"{path}: {size} bytes, more than the {MAX_BYTES} allowed for detections")
        return _records(json.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise InputError(f"{path}: no detections can be read there ({error.strerror})") from None
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); {WAY_OUT}") from None


def _records(value: object, where: str) -> Sequence[Mapping[str, object]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise InputError(f"{where}: a list of objects is wanted; {WAY_OUT}")
    return value


def _whole(record: Mapping[str, object], name: str, where: str) -> int:
    value = record.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{where}: '{name}' must be a whole number above 0, got {value!r}; {WAY_OUT}")
    return value


def _by_page(
    records: Sequence[Mapping[str, object]], extra: str, *, pages: int, classes: int, where: str
) -> list[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]]:
    """Boxes [n, 4] left, top, right, bottom, classes [n], and one more number [n], of every page in order."""
    try:
        numbers = np.array([[one["image_id"], one["category_id"]] for one in records], np.int64).reshape(-1, 2) - 1
        boxes = np.array([one["bbox"] for one in records], np.float64).reshape(-1, 4)
        third = np.array([one[extra] for one in records], np.float64).reshape(len(boxes))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{where}: a box without image_id, category_id, bbox or {extra} ({error}); {WAY_OUT}"
        ) from None
    if (
        not (np.isfinite(boxes).all() and np.isfinite(third).all())
        or (numbers < 0).any()
        or (numbers >= [pages, classes]).any()
    ):
        raise InputError(
            f"{where}: a box has a number that is not finite, or a page or class that is not there; {WAY_OUT}"
        )
    boxes[:, 2:] += boxes[:, :2]
    order = np.argsort(numbers[:, 0], kind="stable")
    ends = np.searchsorted(numbers[order, 0], np.arange(1, pages))
    return [(boxes[rows], numbers[rows, 1], third[rows]) for rows in np.split(order, ends)]
