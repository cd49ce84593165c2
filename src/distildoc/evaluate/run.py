"""evaluate: any Predictor on labelled pages, to a Report and a table of what it said.

The torch student and its bundle are both Predictors, so one function scores both.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from distildoc.evaluate.slices import class_slices, group_slices
from distildoc.evaluate.table import PageTable
from distildoc.metrics import SCORES, confusion, intervals, reliability, risk_coverage
from distildoc.schema.errors import InputError
from distildoc.schema.labels import label_index
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Classification, Predictor
from distildoc.schema.report import Report

PRIMARY = "accuracy"
Grouping = Mapping[str, Callable[[Page], str]]  # kind of slice -> group of a page


@dataclass(frozen=True)
class Evaluation:
    """A report, the table it was made from, and the pages that could not be read."""

    report: Report
    table: PageTable
    failed: tuple[FailedPage, ...] = ()


def evaluate(
    predictor: Predictor[Classification],
    pages: Iterable[Page],
    *,
    seed: int = 0,
    skip_bad: bool = False,
    slices: Grouping | None = None,
    source: Mapping[str, str] | None = None,
) -> Evaluation:
    """Score a predictor on labelled pages, in one pass that holds no pixels.

    seed      of the bootstrap; the same seed and page order give comparable intervals.
    skip_bad  leave unreadable pages out and count them; otherwise the first one raises InputError.
    slices    more groups of pages to score, by kind, beside the classes.
    source    names and hashes to keep in the report; `pages_hash` is added.

    Raises InputError for no pages, a page without label or seen before, or a class the predictor does not know.
    """
    seen = _Seen(predictor.labels, dict(slices or {}), skip_bad)
    for answer in predictor(seen.watch(pages)):
        seen.take(answer)
    table = seen.table()
    report = report_of(table, failed=len(seen.failed), seed=seed, groups=seen.groups, source=source)
    return Evaluation(report, table, tuple(seen.failed))


def report_of(
    table: PageTable,
    *,
    failed: int = 0,
    seed: int = 0,
    groups: Mapping[str, list[str]] | None = None,
    source: Mapping[str, str] | None = None,
) -> Report:
    """The report of a table, such as one read back from `predictions.csv`."""
    found = table.outcomes
    counts = confusion(table.probabilities, table.targets)
    return Report(
        task="classification",
        labels=table.labels,
        pages=len(table),
        failed=failed,
        scores=intervals(found, SCORES, seed=seed),
        slices=class_slices(found, table.labels, seed=seed) | group_slices(found, groups or {}, seed=seed),
        confusion=tuple(tuple(row) for row in counts.tolist()),
        reliability=tuple(reliability(table.probabilities, table.targets)),
        risk_coverage=tuple(risk_coverage(table.probabilities, table.targets)),
        primary=PRIMARY,
        source={**(source or {}), "pages_hash": pages_hash(table), "bootstrap_seed": str(seed)},
    )


def pages_hash(table: PageTable) -> str:
    """Sixteen hex digits that change with the set of page ids and their true classes, not with their order."""
    lines = sorted(f"{page}\t{table.labels[t]}" for page, t in zip(table.pages, table.targets, strict=True))
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]


@dataclass
class _Seen:
    """What went to the predictor, and what has come back so far."""

    labels: tuple[str, ...]
    slices: Grouping
    skip_bad: bool
    asked: dict[str, int | None] = field(default_factory=dict)  # page id -> true class; None: it has none
    pages: list[str] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    rows: list[NDArray[np.float32]] = field(default_factory=list)
    failed: list[FailedPage] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)

    def watch(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The pages on their way to the predictor; stops at one that cannot be scored."""
        for page in pages:
            if page.id in self.asked:
                raise InputError(f"page '{page.id}' comes twice; every page needs an id of its own")
            known = None if page.label is None else label_index(self.labels, page.label, f"page '{page.id}'")
            self.asked[page.id] = known
            yield page

    def take(self, answer: Classification | FailedPage) -> None:
        """One answer of the predictor."""
        if isinstance(answer, FailedPage):
            if not self.skip_bad:
                raise InputError(f"{answer.id}: {answer.reason}; leave out what cannot be read with --skip-bad")
            self.failed.append(answer)
            return
        page = answer.page
        if page.id not in self.asked or answer.labels != self.labels:
            raise InputError(f"page '{page.id}' was not asked for, or was predicted over other classes than the rest")
        target = self.asked[page.id]
        if target is None:  # told no sooner: one that cannot be read may have none
            raise InputError(f"page '{page.id}' has no label; evaluation needs labelled pages, use `predict`")
        self.pages.append(page.id)
        self.targets.append(target)
        self.rows.append(answer.probabilities)
        for kind, group_of in self.slices.items():
            self.groups.setdefault(kind, []).append(group_of(page))

    def table(self) -> PageTable:
        answered = len(self.pages) + len(self.failed)
        if answered != len(self.asked) or len(set(self.pages)) != len(self.pages):
            raise InputError(f"the predictor gave {answered} answers for {len(self.asked)} pages")
        if not self.rows:
            raise InputError(f"no page to evaluate: of {len(self.asked)} given, {len(self.failed)} could not be read")
        targets = np.array(self.targets, np.int64)
        return PageTable(tuple(self.pages), self.labels, targets, np.stack(self.rows).astype(np.float32))
