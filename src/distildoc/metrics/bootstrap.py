"""Bootstrap over pages: how far a score would move on other pages of the same kind.

Pages are drawn with replacement, N of N; the interval is the 2.5 % and 97.5 % percentile of the score over 1,000 draws.
Efron & Tibshirani 1993, chapter 13. It speaks of page sampling alone: not of training seeds, and not of pages from
elsewhere. Draws in which a score has no value (a class that was not drawn) are left out of its percentiles.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np

from distildoc.metrics.outcomes import Floats
from distildoc.schema import report

RESAMPLES = 1000
LEVEL = 0.95
CHUNK = 2**20  # counts held at once; 8 MB


class Found(Protocol):
    """What a predictor made of some pages, ready to be scored: Outcomes of classes, LayoutOutcomes of regions."""

    def __len__(self) -> int: ...

    def same_pages(self, other: Self, /) -> bool: ...


F = TypeVar("F", bound=Found)


@dataclass(frozen=True)
class Difference:
    """a minus b with its interval, and the share of draws in which a was above b (ties count half)."""

    value: float
    low: float
    high: float
    above: float


def draws(pages: int, *, seed: int, resamples: int = RESAMPLES) -> Iterator[Floats]:
    """How often each page is drawn: counts [r, N] in pieces that add up to `resamples` rows of sum N.

    The same seed gives the same draws whatever is scored, which is what pairs two predictors.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // pages)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = generator.integers(0, pages, size=(size, pages), dtype=np.int64)
        drawn += np.arange(size)[:, None] * pages
        yield np.bincount(drawn.ravel(), minlength=size * pages).reshape(size, pages).astype(np.float64)


def intervals(
    found: F, scores: Mapping[str, Callable[[F, Floats], Floats]], *, seed: int, resamples: int = RESAMPLES
) -> dict[str, report.Score]:
    """Every score with its interval; scores that have no value on the pages themselves are left out."""
    whole = np.ones((1, len(found)))
    values = {name: float(score(found, whole)[0]) for name, score in scores.items()}
    known = [name for name, value in values.items() if np.isfinite(value)]
    pieces: dict[str, list[Floats]] = {name: [] for name in known}
    for counts in draws(len(found), seed=seed, resamples=resamples):
        for name in known:
            pieces[name].append(scores[name](found, counts))
    return {name: report.Score(values[name], *percentiles(np.concatenate(pieces[name]))) for name in known}


def paired_difference(
    score: Callable[[F, Floats], Floats], a: F, b: F, *, seed: int = 0, resamples: int = RESAMPLES
) -> Difference:
    """Score of a minus score of b on the same pages in the same order, drawn together.

    Raises ValueError where the two are not about the same pages.
    """
    return paired_difference_of_means(score, [a], [b], seed=seed, resamples=resamples)


def paired_difference_of_means(
    score: Callable[[F, Floats], Floats], a: Sequence[F], b: Sequence[F], *, seed: int = 0, resamples: int = RESAMPLES
) -> Difference:
    """Mean score of the runs in a minus that of the runs in b, such as the seeds of two settings, on the same pages.

    Scores are averaged over the runs within each draw, so that the interval speaks of other pages and not of other
    seeds. Raises ValueError where a side has no run, or the runs are not about the same pages.
    """
    if not a or not b:
        raise ValueError(f"a difference of means wants a run on either side, got {len(a)} and {len(b)}")
    first = a[0]
    for other in (*a, *b):
        if len(first) != len(other) or not first.same_pages(other):
            raise ValueError(f"a paired difference wants the same pages, got {len(first)} and {len(other)}")

    def difference(counts: Floats) -> Floats:
        sides = [np.mean([score(one, counts) for one in side], axis=0) for side in (a, b)]
        return np.asarray(sides[0] - sides[1])

    value = float(difference(np.ones((1, len(first))))[0])
    drawn = np.concatenate([difference(counts) for counts in draws(len(first), seed=seed, resamples=resamples)])
    drawn = drawn[np.isfinite(drawn)]
    above = float(np.mean(drawn > 0) + np.mean(drawn == 0) / 2)
    return Difference(value, *percentiles(drawn), above)


def percentiles(values: Floats) -> tuple[float, float]:
    """Both ends of the central 95 % of the values that are numbers."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)
