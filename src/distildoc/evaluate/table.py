"""PageTable: what a predictor said about each page, kept so that two predictors can be compared page by page.

As CSV: one line a page with `page`, `true`, `predicted` and one column `p:LABEL` a class, in shortest decimals that
give the same single-precision numbers back.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distildoc.metrics import Outcomes, outcomes
from distildoc.schema.errors import InputError
from distildoc.schema.labels import align, label_index
from distildoc.schema.writing import new_file

FIXED = ("page", "true", "predicted")
PREFIX = "p:"
NAMES = "surrogateescape"  # how Python holds file names that are no UTF-8; they go to the file as they were
MAX_BYTES = 2**30  # 40,000 pages of 16 classes take 9 MB


@dataclass(frozen=True, eq=False)
class PageTable:
    """Pages [N] by id, true classes [N] as positions in `labels`, probabilities [N, C] in the order of `labels`."""

    pages: tuple[str, ...]
    labels: tuple[str, ...]
    targets: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pages)

    @cached_property
    def outcomes(self) -> Outcomes:
        """What the scores read; raises ValueError where a row is no distribution."""
        return outcomes(self.probabilities, self.targets)

    def like(self, other: "PageTable") -> "PageTable":
        """The same predictions in the other table's order of pages and labels.

        Raises InputError where pages, their true classes or the label sets differ.
        """
        columns = align(self.labels, other.labels)
        position = {page: row for row, page in enumerate(self.pages)}
        missing = [page for page in other.pages if page not in position]
        if missing or len(self) != len(other):
            first = missing[0] if missing else next(page for page in self.pages if page not in set(other.pages))
            raise InputError(
                f"two evaluations hold other pages ({len(self)} and {len(other)}; only one has '{first}'); evaluate "
                "both on the same pages"
            )
        rows = [position[page] for page in other.pages]
        back = np.argsort(columns)
        result = PageTable(other.pages, other.labels, back[self.targets[rows]], self.probabilities[rows][:, columns])
        if (wrong := result.targets != other.targets).any():
            page = other.pages[int(wrong.argmax())]
            raise InputError(f"two evaluations give page '{page}' different true classes; evaluate both anew")
        return result


def write_predictions(table: PageTable, path: Path) -> None:
    """The table as CSV, whole or not at all."""
    with new_file(path) as part, part.open("w", newline="", encoding="utf-8", errors=NAMES) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*FIXED, *(PREFIX + label for label in table.labels)])
        predicted = table.probabilities.argmax(1)
        for row, page in enumerate(table.pages):
            true, said = table.labels[table.targets[row]], table.labels[predicted[row]]
            writer.writerow([page, true, said, *map(str, table.probabilities[row])])


def read_predictions(path: Path) -> PageTable:
    """The table in a CSV file; raises InputError naming file and line where it is not one."""
    pages: list[str] = []
    targets: list[int] = []
    rows: list[list[float]] = []
    lines = _lines(path)
    labels = _labels(next(lines, []), path)
    for number, line in enumerate(lines, start=2):
        where = f"{path}, line {number}"
        if len(line) != len(FIXED) + len(labels):
            raise InputError(f"{where}: {len(line)} columns instead of {len(FIXED) + len(labels)}; evaluate again")
        pages.append(line[0])
        targets.append(label_index(labels, line[1], where))
        rows.append(_floats(line[len(FIXED) :], where))
    if not pages or len(set(pages)) != len(pages):
        raise InputError(f"{path}: no page, or a page twice; evaluate again")
    probabilities = np.array(rows, np.float32)
    return PageTable(tuple(pages), labels, np.array(targets, np.int64), probabilities)


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than the {MAX_BYTES} bytes allowed for predictions")
        with path.open(newline="", encoding="utf-8", errors=NAMES) as file:
            yield from csv.reader(file)
    except OSError as error:
        raise InputError(f"{path}: no predictions can be read there ({error.strerror})") from None
    except csv.Error as error:
        raise InputError(f"{path}: not predictions in CSV ({error})") from None


def _labels(header: Sequence[str], path: Path) -> tuple[str, ...]:
    names = header[len(FIXED) :]
    if tuple(header[: len(FIXED)]) != FIXED or not names or not all(name.startswith(PREFIX) for name in names):
        raise InputError(f"{path}: the first line must be {','.join(FIXED)},{PREFIX}LABEL,...; evaluate again")
    return tuple(name.removeprefix(PREFIX) for name in names)


def _floats(values: Sequence[str], where: str) -> list[float]:
    try:
        return [float(value) for value in values]
    except ValueError as error:
        raise InputError(f"{where}: {error}; evaluate again") from None
