"""Means over seeds with intervals, and differences to the baseline with a verdict.

Pages and seeds are crossed: every seed is scored on the same pages. A draw takes pages with replacement and, on its
own, seeds with replacement; the score is the mean over the drawn seeds of the score on the drawn pages. The same draws
serve all cells on the same pages, so that differences are paired in both. Owen 2007, "The pigeonhole bootstrap",
arXiv:0712.1111: for crossed data the variance it gives is, if anything, too large; but S seeds drawn from S have
(S - 1) / S of the variance of seeds, two thirds for three, so what is said of other seeds is on the bold side. More
seeds are the remedy; short of it, every difference tells in how many seeds it has the sign of the mean. With one seed
the interval is over pages alone.

    p = 2 min(#{d <= 0} + 1, #{d >= 0} + 1) / (R + 1), at most 1

is the two-sided p-value of a difference d over R draws, and Holm 1979 ("A simple sequentially rejective multiple test
procedure", Scand. J. Statist. 6) corrects it for all comparisons of one score in the study.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from distildoc.evaluate.table import PageTable
from distildoc.metrics import LAYOUT_SCORES, SCORES
from distildoc.metrics.bootstrap import Found, draws, percentiles
from distildoc.metrics.outcomes import Floats
from distildoc.study.results import At, Entry, Results

RESAMPLES, MOST = 2000, 20_000  # draws at least, and at most
LEVEL = 0.05  # of a difference that is called significant, after Holm's correction
ROUNDING = 1e-12  # a difference of means that is 0 on paper comes out at some 1e-16
PAGE_SEED, SEED_SEED = 0, 1  # of the draws
COMPARED = {  # scores with intervals and differences, by task; the first one is the primary score
    "classification": ("accuracy", "aurc", "ece", "nll"),
    "detection": ("map", "ap50"),
}

Scores = Mapping[str, Callable[..., Floats]]
Drawn = dict[str, Floats]  # score -> [1 + R]: on the pages as they are, then on every draw


@dataclass(frozen=True)
class Estimate:
    """Mean over the seeds that are there, with a 95 % interval."""

    value: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Comparison:
    """Difference to the baseline, its 95 % interval, and the p-value before and after Holm's correction.

    agree  of its seeds, those in which the difference on the test pages has the sign of the mean.
    """

    value: float
    low: float
    high: float
    p: float
    p_holm: float
    seeds: int
    agree: int

    @property
    def significant(self) -> bool:
        return self.p_holm < LEVEL


@dataclass(frozen=True)
class Place:
    """A place of the grid: its scores, and how far they are from its baseline's."""

    at: At
    scores: Mapping[str, Estimate]
    gains: Mapping[str, Comparison]


def draws_for(results: Results) -> int:
    """As many draws as Holm's correction of all comparisons needs to tell an effect, up to MOST."""
    comparisons = len({entry.at for entry in results.entries if entry.baseline is not None})
    return min(MOST, max(RESAMPLES, 80 * comparisons))


def places_of(results: Results, *, resamples: int | None = None) -> dict[At, Place]:
    """Every place where at least one seed has been scored."""
    resamples = draws_for(results) if resamples is None else resamples
    drawn = _Drawings(results.entries, resamples)
    by_key = {entry.key: entry for entry in results.entries}
    found: dict[At, Place] = {}
    for at, entries in results.places.items():
        scored = [entry for entry in entries if drawn.of(entry) is not None]
        if not scored:
            continue
        pairs = [(entry, by_key[entry.baseline]) for entry in scored if entry.baseline in by_key]
        pairs = [(entry, base) for entry, base in pairs if drawn.comparable(entry, base)]
        names = drawn.of(scored[0]) or {}
        found[at] = Place(
            at,
            {name: _estimate(drawn.values(scored, name), resamples) for name in names},
            {name: _comparison(drawn.differences(pairs, name), resamples) for name in names} if pairs else {},
        )
    return _corrected(found)


def holm(values: Sequence[float]) -> list[float]:
    """P-values after Holm's step-down correction, in the order given.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(values, kind="stable")
    stepped = np.asarray(values, np.float64)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(p) for p in corrected]


def p_value(differences: Floats) -> float:
    """Two-sided bootstrap p-value of differences [R]; a tie counts on both sides, a draw without a value on none."""
    known = differences[np.isfinite(differences)]
    fewer = min((known <= ROUNDING).sum(), (known >= -ROUNDING).sum())
    return float(min(1.0, 2 * (fewer + 1) / (len(known) + 1)))


def drawn_scores(found: Found, scores: Scores, resamples: int) -> Drawn:
    """Every score on the pages as they are and on every draw of pages; the same draws for the same number of pages."""
    pieces: dict[str, list[Floats]] = {name: [score(found, np.ones((1, len(found))))] for name, score in scores.items()}
    for counts in draws(len(found), seed=PAGE_SEED, resamples=resamples):
        for name, score in scores.items():
            pieces[name].append(score(found, counts))
    return {name: np.concatenate(values) for name, values in pieces.items()}


def over_seeds(values: Floats, *, resamples: int) -> Floats:
    """Mean over seeds of [S, 1 + R] values: of all seeds first, then of as many drawn ones in every draw; [1 + R]."""
    seeds = len(values)
    chosen = np.random.default_rng(SEED_SEED).integers(0, seeds, size=(resamples, seeds))
    rest = values[chosen, np.arange(1, resamples + 1)[:, None]].mean(1)
    return np.concatenate([[values[:, 0].mean()], rest])


class _Drawings:
    """What every run scores on every draw, worked out once a run."""

    def __init__(self, entries: Sequence[Entry], resamples: int) -> None:
        self.resamples = resamples
        self._pages: dict[str, PageTable] = {}
        self._drawn: dict[str, Drawn | None] = {}
        self._hash: dict[str, str] = {}
        for entry in entries:
            if entry.key not in self._drawn:
                self._drawn[entry.key] = self._draw(entry)

    def of(self, entry: Entry) -> Drawn | None:
        return self._drawn[entry.key]

    def comparable(self, entry: Entry, other: Entry) -> bool:
        """Whether both were scored, on the same pages."""
        return self.of(other) is not None and self._hash[entry.key] == self._hash[other.key]

    def values(self, entries: Sequence[Entry], name: str) -> Floats:
        """A score of some seeds, [S, 1 + R]."""
        return np.stack([(self.of(entry) or {})[name] for entry in entries])

    def differences(self, pairs: Sequence[tuple[Entry, Entry]], name: str) -> Floats:
        """Of each seed to the baseline of that seed, [S, 1 + R]."""
        ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
        return self.values(ours, name) - self.values(theirs, name)

    def _draw(self, entry: Entry) -> Drawn | None:
        report = entry.report()
        if entry.run is None or report is None:
            return None
        pages = self._hash[entry.key] = f"{report.task} {report.source.get('pages_hash')} {sorted(report.labels)}"
        names = COMPARED[report.task]
        if report.task == "detection":
            layouts = entry.run.layouts()
            return (
                None if layouts is None else drawn_scores(layouts, {n: LAYOUT_SCORES[n] for n in names}, self.resamples)
            )
        table = entry.run.table()
        if table is None:
            return None
        same = table.like(self._pages.setdefault(pages, table))
        return drawn_scores(same.outcomes, {name: SCORES[name] for name in names}, self.resamples)


def _estimate(values: Floats, resamples: int) -> Estimate:
    drawn = over_seeds(values, resamples=resamples)
    return Estimate(float(drawn[0]), *percentiles(drawn[1:]), len(values))


def _comparison(differences: Floats, resamples: int) -> Comparison:
    drawn = over_seeds(differences, resamples=resamples)
    p = p_value(drawn[1:])
    agree = int((np.sign(differences[:, 0]) == np.sign(drawn[0])).sum())
    return Comparison(float(drawn[0]), *percentiles(drawn[1:]), p, p, len(differences), agree)


def _corrected(places: Mapping[At, Place]) -> dict[At, Place]:
    """Holm's correction over all comparisons of one score."""
    found = dict(places)
    for name in {name for place in found.values() for name in place.gains}:
        family = [at for at, place in found.items() if name in place.gains]
        for at, p in zip(family, holm([found[at].gains[name].p for at in family]), strict=True):
            gains = {**found[at].gains, name: replace(found[at].gains[name], p_holm=p)}
            found[at] = replace(found[at], gains=gains)
    return found
