"""CSV: one line a page, failed ones included; the last columns are the probabilities, `p:` before the class."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distildoc.schema.bundle import Bundle
from distildoc.schema.pages import FailedPage
from distildoc.schema.predictions import Classification

TARGET = "predictions.csv"
COLUMNS = ("id", "source", "page", "label", "confidence", "error", "abstained")


@contextmanager
def writing(path: Path, bundle: Bundle) -> Iterator[Callable[[Classification | FailedPage], None]]:
    """Give the function that writes one page: columns id, source, page, label, confidence, error, abstained, p:CLASS.

    `abstained` is true or false; the label of a page that was abstained from is empty, and so are all columns but the
    place and the error of a page that failed. Bytes of a file name that are no UTF-8 are written as \\udcNN.
    """
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        table = csv.writer(file)
        table.writerow([*COLUMNS, *(f"p:{label}" for label in bundle.labels)])

        def write(page: Classification | FailedPage) -> None:
            if isinstance(page, FailedPage):
                table.writerow([page.id, page.source, page.number, "", "", page.reason, "", *[""] * len(bundle.labels)])
                return
            probabilities = [f"{value:.7f}" for value in page.probabilities]
            where = (page.page.id, page.page.source, page.page.number)
            label, abstained = ("", "true") if page.abstained else (page.label, "false")
            table.writerow([*where, label, f"{page.confidence:.7f}", "", abstained, *probabilities])

        yield write
