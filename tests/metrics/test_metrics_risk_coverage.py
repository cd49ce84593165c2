"""Oracles: the numbers in FD-Shifts' own test suite, torch-uncertainty 0.13.0, the paper's code, and hand values."""

import numpy as np
import pytest

from distildoc.metrics import aurc, aurc_trapezoid, outcomes, risk_coverage
from distildoc.metrics.risk_coverage import aurcs, aurcs_trapezoid


def two_classes(confidences, right):
    first = np.array(confidences, float)
    return np.stack([first, 1 - first], 1), 1 - np.array(right, int)


def test_trapezoid_equals_the_number_published_in_the_tests_of_fd_shifts():
    # fd_shifts/tests/analysis/test_metrics.py, test_aurc: 100 rising confidences, every second page right, x 1000
    probabilities, targets = two_classes(0.5 + np.arange(100) / 250, np.arange(100) % 2)
    assert aurc_trapezoid(probabilities, targets) == pytest.approx(0.48281112575762546, abs=1e-12)


def test_trapezoid_of_all_wrong_equals_the_number_published_in_the_tests_of_fd_shifts():
    # same test, none_correct: 990 / 1000, whatever the confidences
    for confidences in (np.full(100, 0.9), 0.5 + np.arange(100) / 250, np.arange(100) % 2 * 0.4 + 0.6):
        assert aurc_trapezoid(*two_classes(confidences, np.zeros(100))) == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("pages", "classes", "expected"), [(200, 5, 0.37134811998586914), (37, 3, 0.29366160844720834)]
)
def test_trapezoid_equals_the_code_of_the_paper(made, pages, classes, expected):
    # Jordy-VL/DistilDoc_ICDAR24 src/clf/metrics.py at 927aa0e, aurc(StatsCache(p.max(1), correct))
    _, probabilities, targets = made(pages, classes)
    assert aurc_trapezoid(probabilities, targets) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("pages", "classes", "expected"), [(200, 5, 0.3732141906515675), (37, 3, 0.3018188739789459)])
def test_trapezoid_equals_torch_uncertainty_up_to_its_scale(made, pages, classes, expected):
    # torch_uncertainty.metrics.classification.AURC divides by 1 - 1 / N
    _, probabilities, targets = made(pages, classes)
    assert aurc_trapezoid(probabilities, targets) * pages / (pages - 1) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("pages", "classes", "expected"), [(200, 5, 0.37271061998586924), (37, 3, 0.29987052006152537)]
)
def test_aurc_equals_the_mean_of_the_risks_of_torch_uncertainty(made, pages, classes, expected):
    # torch_uncertainty.metrics.classification.risk_coverage._aurc_rejection_rate_compute(p.max(1), errors).mean()
    _, probabilities, targets = made(pages, classes)
    assert aurc(probabilities, targets) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("pages", "classes", "expected"), [(200, 5, 0.3550480158730158), (37, 3, 0.2675938088895164)])
def test_trapezoid_with_ties_equals_fd_shifts_less_its_last_stretch(made, pages, classes, expected):
    # IML-DKFZ/fd-shifts rc_stats_utils.selective_risk_stats at 8ac4f6d on p.max(1).round(1), then np.trapezoid; that
    # curve goes on level to coverage 0, which adds 1 / N times the risk of the most confident group
    _, probabilities, targets = made(pages, classes)
    confidence = probabilities.max(1).round(1)
    right = probabilities.argmax(1) == targets
    rounded = np.full_like(probabilities, 0.0)
    rounded[np.arange(pages), probabilities.argmax(1)] = confidence
    rounded += (1 - confidence)[:, None] / (classes - 1) * (rounded == 0)
    keep = rounded.argmax(1) == probabilities.argmax(1)
    assert keep.all()
    top = confidence == confidence.max()
    level = (1 - right[top].mean()) / pages
    assert aurc_trapezoid(rounded, targets) + level == pytest.approx(expected, abs=1e-12)


def test_aurc_equals_the_hand_value():
    # from most confident: right, wrong, right, right -> 0, 1/2, 1/3, 1/4
    probabilities, targets = two_classes([0.9, 0.6, 0.8, 0.7], [True, True, False, True])
    assert aurc(probabilities, targets) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_aurc_of_equal_confidences_is_the_mean_over_their_orders():
    # one sure right page, then one right and one wrong of equal confidence: risks 0, 0 or 1/2, 1/3
    probabilities, targets = two_classes([0.9, 0.7, 0.7], [True, True, False])
    one, other = (0 + 0 + 1 / 3) / 3, (0 + 1 / 2 + 1 / 3) / 3
    assert aurc(probabilities, targets) == pytest.approx((one + other) / 2)


def test_order_of_the_pages_does_not_matter_with_ties(made):
    _, probabilities, targets = made(200, 5)
    coarse = np.eye(5)[probabilities.argmax(1)] * 0.5 + 0.1
    order = np.argsort(np.sin(np.arange(200) * 9.7))
    for score in (aurc, aurc_trapezoid):
        assert score(coarse, targets) == pytest.approx(score(coarse[order], targets[order]), abs=1e-12)


def test_all_right_is_zero_and_all_wrong_is_one():
    probabilities = np.stack([np.linspace(0.6, 0.9, 7), np.linspace(0.4, 0.1, 7)], 1)
    assert aurc(probabilities, np.zeros(7, int)) == 0.0
    assert aurc(probabilities, np.ones(7, int)) == pytest.approx(1.0)


def test_one_page_scores_its_own_error():
    assert aurc(*two_classes([0.8], [False])) == 1.0
    assert aurc_trapezoid(*two_classes([0.8], [False])) == 0.0  # no width between coverage 1 and 1 / N


@pytest.mark.parametrize(("score", "plain"), [(aurcs, aurc), (aurcs_trapezoid, aurc_trapezoid)])
def test_counting_a_page_twice_equals_having_it_twice(made, score, plain):
    _, probabilities, targets = made(37, 3)
    twice = np.concatenate([np.arange(1, 36), np.arange(5, 11), [7]])
    counts = np.bincount(twice, minlength=37)[None].astype(float)
    expected = plain(probabilities[twice], targets[twice])
    assert score(outcomes(probabilities, targets), counts)[0] == pytest.approx(expected, abs=1e-12)


def test_curve_starts_at_the_error_rate_and_ends_at_the_most_confident_page():
    probabilities, targets = two_classes([0.9, 0.6, 0.8, 0.7], [True, True, False, True])
    points = [(p.coverage, p.risk) for p in risk_coverage(probabilities, targets)]
    assert points == [(1.0, 1 / 4), (0.75, 1 / 3), (0.5, 1 / 2), (0.25, 0.0)]


def test_thinned_curve_keeps_both_ends_and_true_points(made):
    _, probabilities, targets = made(200, 5)
    every = risk_coverage(probabilities, targets)
    thin = risk_coverage(probabilities, targets, most=20)
    assert len(every) == 200
    assert len(thin) == 20
    assert thin[0] == every[0]
    assert thin[-1] == every[-1]
    assert set(thin) <= set(every)
