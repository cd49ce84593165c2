"""Predictions about pages, and what a Predictor is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from distildoc.schema.pages import FailedPage, Page


@dataclass(frozen=True)
class Classification:
    """Calibrated class probabilities of one page; `labels[i]` goes with `probabilities[i]`.

    threshold  least confidence that is an answer; None where every page is answered.
    """

    page: Page
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    threshold: float | None = None

    @property
    def label(self) -> str:
        """The most probable class, also where the prediction abstains from naming it."""
        return self.labels[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """Largest probability, 0..1."""
        return float(self.probabilities.max())

    @property
    def abstained(self) -> bool:
        """Whether the confidence is below the threshold."""
        return self.threshold is not None and self.confidence < self.threshold


@dataclass(frozen=True)
class Layout:
    """Regions found on one page, the most certain first.

    size     (width, height) of the page in the pixels that the boxes are counted in.
    boxes    [N, 4] left, top, right, bottom, within the page.
    classes  [N] positions in `labels`.
    scores   [N] 0..1.
    """

    page: Page
    labels: tuple[str, ...]
    size: tuple[int, int]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


Prediction = Classification | Layout
P = TypeVar("P", Classification, Layout, covariant=True)


@runtime_checkable
class Predictor(Protocol[P]):
    """Turns pages into predictions, in order; an unreadable page comes back as a FailedPage in its place."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def __call__(self, pages: Iterable[Page]) -> Iterator[P | FailedPage]: ...
