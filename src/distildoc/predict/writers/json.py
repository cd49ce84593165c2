"""JSON: one object with the bundle, a list of pages and a list of failed pages, written page by page."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from distildoc.schema.bundle import Bundle
from distildoc.schema.pages import FailedPage
from distildoc.schema.predictions import Classification

TARGET = "predictions.json"
FORMAT = 1


@contextmanager
def writing(path: Path, bundle: Bundle) -> Iterator[Callable[[Classification | FailedPage], None]]:
    """Give the function that writes one page.

    {"format", "distildoc", "bundle": {"id", "task", "labels"}, "pages": [{"id", "source", "page", "label",
    "confidence", "abstained", "threshold", "probabilities": {label: 0..1}}],
    "failed": [{"id", "source", "page", "reason"}]}

    A page that was abstained from has the label null; the class it might have is the most probable one. The threshold
    is null where every page was to be answered.

    Bytes of a file name that are no UTF-8 are escaped as JSON escapes them, and `os.fsencode` gives them back.
    """
    with records(path, {"id": bundle.id, "task": bundle.task, "labels": list(bundle.labels)}) as write:
        yield lambda page: write(page if isinstance(page, FailedPage) else _record(page))


@contextmanager
def records(path: Path, bundle: Mapping[str, object]) -> Iterator[Callable[[Mapping[str, object] | FailedPage], None]]:
    """Give the function that writes the record of one page, between what is said of the bundle and the failed pages."""
    failed: list[FailedPage] = []
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        head = f'{{"format": {FORMAT}, "distildoc": "{version("distildoc")}", "bundle": {_text(bundle)}'
        file.write(f'{head},\n"pages": [')
        between = "\n"

        def write(page: Mapping[str, object] | FailedPage) -> None:
            nonlocal between
            if isinstance(page, FailedPage):
                failed.append(page)
                return
            file.write(between + _text(page))
            between = ",\n"

        yield write
        file.write('\n],\n"failed": [' + ",".join("\n" + _text(_failure(page)) for page in failed) + "\n]}\n")


def _record(prediction: Classification) -> dict[str, object]:
    probabilities = [round(float(value), 7) for value in prediction.probabilities]
    return {
        "id": prediction.page.id,
        "source": prediction.page.source,
        "page": prediction.page.number,
        "label": None if prediction.abstained else prediction.label,
        "confidence": round(prediction.confidence, 7),
        "abstained": prediction.abstained,
        "threshold": prediction.threshold,
        "probabilities": dict(zip(prediction.labels, probabilities, strict=True)),
    }


def _failure(page: FailedPage) -> dict[str, object]:
    return {"id": page.id, "source": page.source, "page": page.number, "reason": page.reason}


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
