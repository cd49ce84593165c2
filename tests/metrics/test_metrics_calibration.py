"""Oracles: scikit-learn 1.9.1, torchmetrics 1.9.0 and netcal 1.4.0 on the predictions of conftest.py; hand values."""

import numpy as np
import pytest

from distildoc.metrics import brier, ece, ece_equal_mass, nll, outcomes, reliability
from distildoc.metrics.calibration import eces, eces_equal_mass, nlls


def two_classes(confidences, right):
    """Probabilities of two classes with these confidences in class 0, and targets that make `right` of them right."""
    first = np.array(confidences, float)
    return np.stack([first, 1 - first], 1), 1 - np.array(right, int)


@pytest.mark.parametrize(("pages", "classes", "expected"), [(200, 5, 1.5163884661494293), (37, 3, 1.0183978443036243)])
def test_nll_equals_scikit_learn(made, pages, classes, expected):
    _, probabilities, targets = made(pages, classes)  # log_loss(y, p, labels=range(C))
    assert nll(probabilities, targets) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("pages", "classes", "expected"), [(200, 5, 0.7174183407577678), (37, 3, 0.5916284224091285)])
def test_brier_equals_scikit_learn_in_the_sum_form(made, pages, classes, expected):
    _, probabilities, targets = made(pages, classes)  # brier_score_loss(y, p, labels=list(range(C)))
    assert brier(probabilities, targets) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("pages", "classes", "expected"), [(200, 5, 0.11221717124836722), (37, 3, 0.18546884371020825)]
)
def test_ece_equals_netcal_with_15_bins(made, pages, classes, expected):
    _, probabilities, targets = made(pages, classes)  # netcal.metrics.ECE(15).measure(p, y)
    assert ece(probabilities, targets) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("pages", "classes", "expected"), [(200, 5, 0.11221716552972794), (37, 3, 0.18546882271766663)]
)
def test_ece_equals_torchmetrics_with_15_bins(made, pages, classes, expected):
    _, probabilities, targets = made(pages, classes)
    # torchmetrics.functional.classification.multiclass_calibration_error(p, y, num_classes=C, n_bins=15, norm="l1")
    assert ece(probabilities, targets) == pytest.approx(expected, abs=1e-6)  # single precision


def test_nll_of_an_impossible_truth_is_the_clamp():
    assert nll(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-np.log(1e-12))


def test_all_right_and_sure_scores_zero_everywhere():
    probabilities, targets = np.eye(4), np.arange(4)
    for score in (nll, brier, ece, ece_equal_mass):
        assert score(probabilities, targets) == 0.0, score.__name__


def test_all_wrong_and_sure_scores_one_in_ece_and_two_in_brier():
    probabilities, targets = np.eye(2)[[0, 0, 0]], np.array([1, 1, 1])
    assert ece(probabilities, targets) == ece_equal_mass(probabilities, targets) == 1.0
    assert brier(probabilities, targets) == 2.0


def test_ece_of_a_confidence_on_an_edge_belongs_to_the_bin_below():
    # 0.6 is the edge of bins 9 and 10 of 15: with 0.59 (right) and 0.6 (wrong) in one bin the gap is |1 - 1.19| / 2
    probabilities, targets = two_classes([0.59, 0.6], [True, False])
    assert ece(probabilities, targets) == pytest.approx(0.19 / 2)


def test_equal_mass_ece_equals_the_hand_value():
    # 5 pages, 4 bins: {0.5, 0.6}, {0.7}, {0.8}, {0.9}; upper edges 0.6 0.7 0.8 0.9; right: 1 0 | 1 | 0 | 1
    # (2 |0.5 - 0.6| + |1 - 0.7| + |0 - 0.8| + |1 - 0.9|) / 5 = 1.4 / 5
    probabilities, targets = two_classes([0.9, 0.5, 0.7, 0.6, 0.8], [True, True, True, False, False])
    assert ece_equal_mass(probabilities, targets) == pytest.approx(1.4 / 5)


def test_equal_mass_ece_keeps_equal_confidences_together():
    # 4 pages, 3 bins {0.6, 0.8}, {0.8}, {0.8}: one edge for the three of 0.8, so |0.5 - 0.8| over all four
    probabilities, targets = two_classes([0.8, 0.6, 0.8, 0.8], [True, False, True, False])
    assert ece_equal_mass(probabilities, targets) == pytest.approx(0.3)


def test_equal_mass_ece_equals_a_loop_over_split_pages(made):
    _, probabilities, targets = made(200, 5)
    confidence = probabilities.max(1)
    order = np.argsort(confidence)
    right = probabilities.argmax(1) == targets
    groups = np.array_split(order, 100)  # 200 different confidences: no group shares one
    expected = sum(len(g) * abs(right[g].mean() - confidence[g].max()) for g in groups) / 200
    assert ece_equal_mass(probabilities, targets) == pytest.approx(expected, abs=1e-12)


def test_one_page_has_one_bin():
    probabilities, targets = two_classes([0.7], [True])
    assert ece_equal_mass(probabilities, targets) == pytest.approx(0.3)
    assert ece(probabilities, targets) == pytest.approx(0.3)


def test_reliability_bins_add_up_to_the_ece(made):
    _, probabilities, targets = made(200, 5)
    bins = reliability(probabilities, targets)
    assert sum(b.pages for b in bins) == 200
    gaps = sum(b.pages * abs(b.accuracy - b.confidence) for b in bins) / 200
    assert gaps == pytest.approx(0.11221717124836722)  # netcal, as above
    assert all(b.low < b.confidence <= b.high for b in bins)


@pytest.mark.parametrize(("score", "plain"), [(nlls, nll), (eces, ece), (eces_equal_mass, ece_equal_mass)])
def test_counting_a_page_twice_equals_having_it_twice(made, score, plain):
    _, probabilities, targets = made(37, 3)
    twice = np.concatenate([np.arange(36), np.arange(5)])  # page 36 is not drawn
    counts = np.bincount(twice, minlength=37)[None].astype(float)
    expected = plain(probabilities[twice], targets[twice])
    assert score(outcomes(probabilities, targets), counts)[0] == pytest.approx(expected, abs=1e-12)
