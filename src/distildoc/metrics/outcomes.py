"""Outcomes: what the scores read of class probabilities, worked out once for all scores and all resamples.

A resample of N pages is a row of counts: how often each page was drawn. Every score is a function of outcomes and
counts [R, N] that gives R values; the score of the pages as they are is the row of ones. So one formula serves the
plain value, its bootstrap interval, and paired differences between two predictors on the same pages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Probabilities = NDArray[np.float32] | NDArray[np.float64]

SUM_TOLERANCE = 1e-3  # of a row of probabilities; half precision of 16 classes stays below it


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Probabilities [N, C] in float64 and true classes [N], with what follows from them, in page order."""

    probabilities: Floats
    targets: Integers

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def classes(self) -> int:
        return int(self.probabilities.shape[1])

    @cached_property
    def predicted(self) -> Integers:
        """Most probable class [N]; the first of equals."""
        return np.asarray(np.argmax(self.probabilities, axis=1), np.int64)

    @cached_property
    def confidence(self) -> Floats:
        """Largest probability [N]."""
        return np.asarray(self.probabilities.max(1))

    @cached_property
    def hits(self) -> Floats:
        """1 where the prediction is right, else 0, [N]."""
        return np.equal(self.predicted, self.targets).astype(np.float64)

    @cached_property
    def falling(self) -> Integers:
        """Positions from the most to the least confident page, equals in page order, [N]."""
        return np.argsort(-self.confidence, kind="stable")

    def same_pages(self, other: "Outcomes") -> bool:
        """Whether both have the same true classes in the same order."""
        return np.array_equal(self.targets, other.targets)

    def select(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Outcomes":
        """The outcomes of some pages."""
        return Outcomes(self.probabilities[rows], self.targets[rows])


def drawn_pages(counts: Floats) -> Floats:
    """How many pages each draw holds, [R]."""
    return np.asarray(counts.sum(1))


Score = Callable[[Outcomes, Floats], Floats]  # counts [R, N] to values [R]; NaN where a draw has no value


def outcomes(probabilities: Probabilities, targets: NDArray[np.int64]) -> Outcomes:
    """Checked outcomes of [N, C] probabilities and [N] true classes.

    Raises ValueError where shapes do not fit, there is no page, a class is out of range, or a row is no distribution.
    """
    values, truth = np.asarray(probabilities, np.float64), np.asarray(targets)
    if values.ndim != 2 or truth.shape != values.shape[:1] or values.size == 0:
        raise ValueError(f"probabilities [N, C] and targets [N] are wanted, got {values.shape} and {truth.shape}")
    if not np.issubdtype(truth.dtype, np.integer) or truth.min() < 0 or truth.max() >= values.shape[1]:
        raise ValueError(f"targets must be class numbers from 0 to {values.shape[1] - 1}, got {truth.dtype} {truth}")
    bad = ~np.isfinite(values).all(1) | (values < 0).any(1) | (np.abs(values.sum(1) - 1) > SUM_TOLERANCE)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"row {row} of the probabilities is no distribution: {values[row]}")
    return Outcomes(values, truth.astype(np.int64))


def once(score: Score, probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """The score of the pages as they are."""
    found = outcomes(probabilities, targets)
    return float(score(found, np.ones((1, len(found))))[0])
