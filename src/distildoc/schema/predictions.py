"""Predictions about pages, and what a Predictor is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from distildoc.schema.pages import FailedPage, Page


@dataclass(frozen=True)
class Classification:
    """Calibrated class probabilities of one page; `labels[i]` goes with `probabilities[i]`."""

    page: Page
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]

    @property
    def label(self) -> str:
        return self.labels[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """Largest probability, 0..1."""
        return float(self.probabilities.max())


Prediction = Classification


@runtime_checkable
class Predictor(Protocol):
    """Turns pages into predictions, in order; an unreadable page comes back as a FailedPage in its place."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def __call__(self, pages: Iterable[Page]) -> Iterator[Prediction | FailedPage]: ...
