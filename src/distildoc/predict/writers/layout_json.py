"""JSON of layouts: regions in reading order with their text, written page by page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distildoc.predict.lines import paragraph, table_text
from distildoc.predict.reading import Block, Reading
from distildoc.predict.writers.json import records
from distildoc.schema.bundle import Bundle
from distildoc.schema.pages import FailedPage

TARGET = "predictions.json"
TEXT = True


@contextmanager
def writing(path: Path, bundle: Bundle) -> Iterator[Callable[[Reading | FailedPage], None]]:
    """Give the function that writes one page.

    {"format", "distildoc", "bundle": {"id", "task", "labels"}, "pages": [{"id", "source", "page", "width", "height",
    "regions": [{"label", "score", "box": [left, top, right, bottom], "text"}], "loose_text": [{"box", "text"}]}],
    "failed": [{"id", "source", "page", "reason"}]}

    Boxes are in the pixels that width and height count; `loose_text` is what lies in no region.
    """
    with records(path, {"id": bundle.id, "task": bundle.task, "labels": list(bundle.labels)}) as write:
        yield lambda page: write(page if isinstance(page, FailedPage) else _record(page))


def _record(reading: Reading) -> dict[str, object]:
    width, height = reading.layout.size
    page = {"id": reading.page.id, "source": reading.page.source, "page": reading.page.number}
    regions = [_region(block) for block in reading.regions]
    loose = [{"box": _box(block), "text": _text(block)} for block in reading.blocks if block.label is None]
    return {**page, "width": width, "height": height, "regions": regions, "loose_text": loose}


def _region(block: Block) -> dict[str, object]:
    score = None if block.score is None else round(block.score, 5)
    return {"label": block.label, "score": score, "box": _box(block), "text": _text(block)}


def _box(block: Block) -> list[float]:
    return [round(side, 2) for side in block.box]


def _text(block: Block) -> str:
    return table_text(block.lines) if block.kind == "table" else paragraph(block.lines)
