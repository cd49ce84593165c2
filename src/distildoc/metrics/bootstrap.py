"""Bootstrap over pages: how far a score would move on other pages of the same kind.

Pages are drawn with replacement, N of N; the interval is the 2.5 % and 97.5 % percentile of the score over 1,000 draws.
Efron & Tibshirani 1993, chapter 13. It speaks of page sampling alone: not of training seeds, and not of pages from
elsewhere. Draws in which a score has no value (a class that was not drawn) are left out of its percentiles.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from distildoc.metrics.outcomes import Floats, Outcomes, Score
from distildoc.schema import report

RESAMPLES = 1000
LEVEL = 0.95
CHUNK = 2**20  # counts held at once; 8 MB


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
    found: Outcomes, scores: Mapping[str, Score], *, seed: int, resamples: int = RESAMPLES
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
    score: Score, a: Outcomes, b: Outcomes, *, seed: int = 0, resamples: int = RESAMPLES
) -> Difference:
    """Score of a minus score of b on the same pages in the same order, drawn together.

    Raises ValueError where the two have other pages: their true classes differ.
    """
    if not np.array_equal(a.targets, b.targets):
        raise ValueError(f"a paired difference wants the same pages, got {len(a)} and {len(b)} with other classes")
    whole = np.ones((1, len(a)))
    value = float(score(a, whole)[0] - score(b, whole)[0])
    drawn = np.concatenate([score(a, c) - score(b, c) for c in draws(len(a), seed=seed, resamples=resamples)])
    drawn = drawn[np.isfinite(drawn)]
    above = float(np.mean(drawn > 0) + np.mean(drawn == 0) / 2)
    return Difference(value, *percentiles(drawn), above)


def percentiles(values: Floats) -> tuple[float, float]:
    """Both ends of the central 95 % of the values that are numbers."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)
