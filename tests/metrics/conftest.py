"""Predictions from a formula, so that other packages can be given the same numbers without a random generator."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray


class Made(NamedTuple):
    logits: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    targets: NDArray[np.int64]


def made_predictions(pages: int, classes: int) -> Made:
    """logits = 2 sin(1.7 i + 2.3 j + 0.13 i j), plus 1 for the true class (7 i + i // 3) mod C."""
    i, j = np.arange(pages)[:, None], np.arange(classes)[None, :]
    targets = (np.arange(pages) * 7 + np.arange(pages) // 3) % classes
    logits = 2.0 * np.sin(1.7 * i + 2.3 * j + 0.13 * i * j)
    logits[np.arange(pages), targets] += 1.0
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return Made(logits, weights / weights.sum(1, keepdims=True), targets)


@pytest.fixture(scope="session")
def made() -> Callable[[int, int], Made]:
    return made_predictions
