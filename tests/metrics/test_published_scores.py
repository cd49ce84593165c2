"""AURC and ECE against published implementations, on probabilities that are drawn anew from a seed.

torchmetrics runs here. Its bins are [a, b) and ours (a, b], which differ only for a confidence on an edge.

The other numbers were printed by these, run as published on `made(...)`:

- Moon et al. 2020, arXiv:2007.01458, daintlab/confidence-aware-learning at 8bb514c, metrics.py: `calc_aurc_eaurc`, the
  mean over N prefixes as in `aurc`, with equal confidences in page order where ours takes the mean over their orders;
  `calc_ece` in single precision.
- torch-uncertainty 0.13.0, `torch_uncertainty.metrics.AURC`: the trapezoid from coverage 1 / N to 1 as in
  `aurc_trapezoid`, divided by its width 1 - 1 / N, in single precision.

For the equal-mass ECE with upper edges no published code can be had without the network (the paper loads it from a hub
at run time), so a value by hand stands for it.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchmetrics.classification import MulticlassCalibrationError

from distildoc.metrics import aurc, aurc_trapezoid, ece, ece_equal_mass


class Made(NamedTuple):
    probabilities: NDArray[np.float64]
    targets: NDArray[np.int64]


def made(seed: int, pages: int, classes: int) -> Made:
    """Seven in ten pages are of their most probable class, the others of any."""
    generator = np.random.default_rng(seed)
    weights = generator.random((pages, classes)) ** 6 + 0.02
    probabilities = weights / weights.sum(1, keepdims=True)
    targets = np.where(generator.random(pages) < 0.7, probabilities.argmax(1), generator.integers(0, classes, pages))
    return Made(probabilities, targets)


def tied(seed: int, pages: int) -> Made:
    """Two classes, with confidences of one decimal."""
    probabilities, targets = made(seed, pages, 2)
    first = probabilities[:, 0].round(1)
    return Made(np.stack([first, 1 - first], 1), targets)


@pytest.mark.parametrize(("pages", "classes"), [(20, 2), (97, 4), (500, 10), (3000, 16)])
@pytest.mark.parametrize("seed", range(5))
def test_ece_equals_torchmetrics(seed: int, pages: int, classes: int) -> None:
    probabilities, targets = made(seed, pages, classes)
    published = MulticlassCalibrationError(classes, n_bins=15, norm="l1")
    expected = published(torch.from_numpy(probabilities), torch.from_numpy(targets))
    assert ece(probabilities, targets) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ((0, 500, 10), 0.31921857595443726),
        ((1, 97, 4), 0.2176854908466339),
        ((2, 1000, 16), 0.42073747515678406),
    ],
)
def test_ece_equals_confidence_aware_learning(drawn: tuple[int, int, int], expected: float) -> None:
    assert ece(*made(*drawn)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ((0, 500, 10), 0.28825832554858266),
        ((1, 97, 4), 0.23863461719857845),
        ((2, 1000, 16), 0.28573018533706274),
    ],
)
def test_aurc_equals_confidence_aware_learning(drawn: tuple[int, int, int], expected: float) -> None:
    assert aurc(*made(*drawn)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ((0, 500, 10), 0.28756545652016485),
        ((1, 97, 4), 0.23988542842749194),
        ((2, 1000, 16), 0.28537506024539766),
    ],
)
def test_trapezoid_equals_torch_uncertainty_over_its_width(drawn: tuple[int, int, int], expected: float) -> None:
    width = 1 - 1 / drawn[1]
    assert aurc_trapezoid(*made(*drawn)) / width == pytest.approx(expected, abs=1e-7)


def test_aurc_of_ties_equals_the_mean_of_confidence_aware_learning_over_page_orders() -> None:
    # over 4,000 random orders of the pages: from 0.170 to 0.246, mean 0.20254 with a standard error of 0.00018
    probabilities, targets = tied(3, 200)
    assert len(set(probabilities.max(1))) == 6
    assert aurc(probabilities, targets) == pytest.approx(0.20254439443835934, abs=3 * 0.00018)


def test_equal_mass_ece_with_upper_edges_equals_the_hand_value() -> None:
    # 7 pages, 6 bins: {.55, .6}, {.65}, {.7}, {.8}, {.9}, {.95}; right 1 0 | 1 | 0 | 1 | 1 | 1
    # (2 |1/2 - .6| + .35 + .7 + .2 + .1 + .05) / 7 = 1.6 / 7
    confidence = np.array([0.9, 0.55, 0.7, 0.95, 0.6, 0.8, 0.65])
    right = np.array([1, 1, 0, 1, 0, 1, 1])
    assert ece_equal_mass(np.stack([confidence, 1 - confidence], 1), 1 - right) == pytest.approx(1.6 / 7)
