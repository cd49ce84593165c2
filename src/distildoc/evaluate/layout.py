"""evaluate_layout: any Predictor of layouts on pages with known regions, to a Report and what it was made from.

The torch student and its bundle are both Predictors, so one function scores both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from distildoc.evaluate.layout_files import read_layout_predictions, read_layouts
from distildoc.evaluate.layout_report import LayoutEvaluation, layout_report
from distildoc.evaluate.layout_score import layout_score, outcomes_on, thresholds_on
from distildoc.evaluate.layout_table import LayoutTable, found_in, truth_of
from distildoc.evaluate.layout_write import write_layout
from distildoc.evaluate.torch_detector import TorchDetector
from distildoc.metrics.detection_matching import FoundBoxes, TrueBoxes
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Layout, Predictor

__all__ = [
    "LayoutEvaluation",
    "LayoutTable",
    "TorchDetector",
    "evaluate_layout",
    "layout_report",
    "layout_score",
    "outcomes_on",
    "read_layout_predictions",
    "read_layouts",
    "thresholds_on",
    "write_layout",
]


def evaluate_layout(
    predictor: Predictor[Layout],
    pages: Iterable[Page],
    *,
    seed: int = 0,
    skip_bad: bool = False,
    post: Callable[[Layout], Layout] | None = None,
    source: Mapping[str, str] | None = None,
) -> LayoutEvaluation:
    """Score a predictor on pages with known regions, in one pass that holds no pixels.

    seed      of the bootstrap; the same seed and page order give comparable intervals.
    skip_bad  leave unreadable pages out and count them; otherwise the first one raises InputError.
    post      what the bundle does with detections before people see them; scored apart from the raw ones.
    source    names and hashes to keep in the report; `pages_hash` is added.

    Raises InputError for no pages or none with a region, a page seen before or without known layout, a size of a page
    that is not that of its regions, or a class the predictor does not know.
    """
    seen = _Seen(predictor.labels, post, skip_bad)
    for answer in predictor(seen.watch(pages)):
        seen.take(answer)
    table = seen.table()
    report = layout_report(table, failed=len(seen.failed), seed=seed, source=source)
    return LayoutEvaluation(report, table, tuple(seen.failed))


@dataclass
class _Seen:
    """What went to the predictor, and what has come back so far."""

    labels: tuple[str, ...]
    post: Callable[[Layout], Layout] | None
    skip_bad: bool
    asked: dict[str, TrueBoxes] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    raw: list[FoundBoxes] = field(default_factory=list)
    shown: list[FoundBoxes] = field(default_factory=list)
    failed: list[FailedPage] = field(default_factory=list)

    def watch(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The pages on their way to the predictor; stops at one that cannot be scored."""
        for page in pages:
            if page.id in self.asked:
                raise InputError(f"page '{page.id}' comes twice; every page needs an id of its own")
            self.asked[page.id] = truth_of(page, self.labels)
            yield page

    def take(self, answer: Layout | FailedPage) -> None:
        """One answer of the predictor."""
        if isinstance(answer, FailedPage):
            if not self.skip_bad:
                raise InputError(f"{answer.id}: {answer.reason}; leave out unreadable pages with --skip-bad")
            self.failed.append(answer)
            return
        page = answer.page
        if page.id not in self.asked or answer.labels != self.labels:
            raise InputError(f"page '{page.id}' was not asked for, or was predicted over other classes than the rest")
        if answer.size != page.size:
            raise InputError(
                f"page '{page.id}': regions were found on {answer.size} pixels, the true ones on {page.size}"
            )
        self.pages.append(page)
        self.sizes.append(answer.size)
        self.raw.append(found_in(answer))
        if self.post is not None:
            self.shown.append(found_in(self.post(answer)))

    def table(self) -> LayoutTable:
        answered = len(self.pages) + len(self.failed)
        ids = tuple(page.id for page in self.pages)
        if answered != len(self.asked) or len(set(ids)) != len(ids):
            raise InputError(f"the predictor gave {answered} answers for {len(self.asked)} pages")
        if not ids:
            raise InputError(f"no page to evaluate: of {len(self.asked)} given, {len(self.failed)} could not be read")
        return LayoutTable(
            pages=ids,
            labels=self.labels,
            sizes=tuple(self.sizes),
            groups=tuple(page.group for page in self.pages),
            truth=tuple(self.asked[page] for page in ids),
            found=tuple(self.raw),
            post=None if self.post is None else tuple(self.shown),
        )
