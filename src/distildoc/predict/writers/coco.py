"""COCO: images, categories and scored annotations in one file, which COCO readers load as it is.

`annotations` is also what COCO calls results, so that `coco.loadRes(file["annotations"])` works. An image's id is made
from the id of its page alone: the same page has the same id in every run. Category ids count from 1, in the order of
the bundle's classes.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from distildoc.predict.reading import Reading
from distildoc.schema.bundle import Bundle
from distildoc.schema.pages import FailedPage

TARGET = "predictions.coco.json"
TEXT = False


@contextmanager
def writing(path: Path, bundle: Bundle) -> Iterator[Callable[[Reading | FailedPage], None]]:
    """Give the function that writes one page; a failed one leaves no trace here.

    `file_name` is the page's id: for images of a folder their path below it. Boxes are left, top, width, height.
    """
    categories = [{"id": number, "name": label} for number, label in enumerate(bundle.labels, start=1)]
    info = {"description": f"layout bundle {bundle.id}", "version": version("distildoc")}
    with (
        path.open("w", encoding="utf-8", errors="backslashreplace") as file,
        tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent) as annotations,
    ):
        file.write(f'{{"info": {_text(info)},\n"categories": {_text(categories)},\n"images": [')
        images = count = 0

        def write(page: Reading | FailedPage) -> None:
            nonlocal images, count
            if isinstance(page, FailedPage):
                return
            file.write((",\n" if images else "\n") + _text(_image(page)))
            images += 1
            for record in _annotations(page, count + 1):
                annotations.write((",\n" if count else "\n") + _text(record))
                count += 1

        yield write
        file.write('\n],\n"annotations": [')
        annotations.seek(0)
        shutil.copyfileobj(annotations, file)
        file.write("\n]}\n")


def image_id(page_id: str) -> int:
    """48 bits of the page's id; of a million pages two have the same id with a chance of 1 in 500.

    >>> image_id("contract.pdf#3")
    162562029682790
    """
    digest = hashlib.sha256(page_id.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big")


def _image(reading: Reading) -> dict[str, object]:
    width, height = reading.layout.size
    page = reading.page
    where = {"id": image_id(page.id), "file_name": page.id, "width": width, "height": height}
    return {**where, "source": page.source, "page": page.number}


def _annotations(reading: Reading, first: int) -> Iterator[dict[str, object]]:
    for number, block in enumerate(reading.regions, start=first):
        if block.label is None or block.score is None:
            continue
        left, top, right, bottom = block.box
        width, height = right - left, bottom - top
        yield {
            "id": number,
            "image_id": image_id(reading.page.id),
            "category_id": reading.layout.labels.index(block.label) + 1,
            "bbox": [round(side, 2) for side in (left, top, width, height)],
            "area": round(width * height, 2),
            "iscrowd": 0,
            "score": float(f"{block.score:.5g}"),
        }


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
