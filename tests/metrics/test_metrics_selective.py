"""Oracle: every threshold tried on every page, in NumPy."""

import json

import numpy as np
import pytest

from distildoc.metrics.selective import selective_curve


def drawn(pages, *, seed=0, calibrated=1.0):
    """Pages of two classes that are right with probability confidence ** calibrated."""
    generator = np.random.default_rng(seed)
    first = generator.uniform(0.5, 1, pages)
    wrong = generator.uniform(size=pages) > first**calibrated
    return np.stack([first, 1 - first], 1), wrong.astype(np.int64)


def tried(probabilities, targets):
    """(threshold, pages, errors) of every threshold to six decimals, from the lowest."""
    cut = np.minimum(np.floor(probabilities.max(1) * 1e6) / 1e6, 0.999999)
    wrong = probabilities.argmax(1) != targets
    return [(level, (cut >= level).sum(), wrong[cut >= level].sum()) for level in np.unique(cut)]


def largest(every, rate):
    """The most pages that a threshold answers at an error rate of at most `rate`."""
    return max((pages for _, pages, errors in every if errors / pages <= rate), default=None)


def first(curve, rate):
    return next((point.answered for point in curve.points if point.rate <= rate), None)


def test_points_count_the_pages_at_or_above_their_threshold():
    probabilities, targets = drawn(300)
    confidence, wrong = probabilities.max(1), probabilities.argmax(1) != targets
    curve = selective_curve(probabilities, targets)
    assert len(curve.points) > 40
    for point in curve.points:
        for rounding in (-2e-6, 0, 2e-6):
            kept = confidence + rounding >= point.threshold
            assert (kept.sum(), wrong[kept].sum()) == (point.answered, point.errors)


def test_every_error_rate_has_its_largest_coverage():
    probabilities, targets = drawn(300)
    every, curve = tried(probabilities, targets), selective_curve(probabilities, targets)
    rates = {errors / pages for _, pages, errors in every} | set(np.linspace(0, 1, 501))
    assert len(rates) > 600
    assert [first(curve, rate) for rate in rates] == [largest(every, rate) for rate in rates]


def test_of_very_many_error_rates_the_round_ones_stay_exact_and_the_others_careful():
    probabilities, targets = drawn(20_000)
    confidence = np.floor(probabilities.max(1) * 1e6) / 1e6
    order = np.argsort(-confidence, kind="stable")
    last = np.append(confidence[order][1:] != confidence[order][:-1], True)
    answered = np.arange(1, 20_001)[last]
    errors = np.cumsum((probabilities.argmax(1) != targets)[order])[last]
    curve = selective_curve(probabilities, targets)
    assert len(curve.points) < 400
    for rate in [*(k / 1000 for k in range(101)), *(k / 100 for k in range(11, 101))]:
        reached = answered[errors / answered <= rate]
        assert first(curve, rate) == (reached.max() if len(reached) else None)
    for rate in np.random.default_rng(1).uniform(0.05, 0.25, 200):
        assert 0.9 * answered[errors / answered <= rate].max() <= first(curve, rate)


def test_even_coverages_do_not_depend_on_the_errors():
    probabilities, targets = drawn(500)
    curve, other = selective_curve(probabilities, targets), selective_curve(probabilities, 1 - targets)
    assert [point.threshold for point in curve.even()] == [point.threshold for point in other.even()]
    ordered = np.sort(np.floor(probabilities.max(1) * 1e6) / 1e6)
    expected = [ordered[500 - int(np.ceil(500 * part / 40))] for part in range(40, 0, -1)]
    assert [point.threshold for point in curve.even()] == pytest.approx(expected, abs=1.01e-5)


def test_pages_of_equal_confidence_are_answered_together():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.8, 0.2], [0.6, 0.4]])
    curve = selective_curve(probabilities, np.array([0, 1, 0, 1]))
    assert [(p.threshold, p.answered, p.errors) for p in curve.points] == [
        (0.59999, 4, 2),
        (0.79999, 3, 1),
        (0.89999, 1, 0),
    ]


def test_a_threshold_lies_halfway_to_a_page_that_is_close():
    first_class = np.array([0.700020, 0.700009, 0.700008])  # ten empty steps, none
    curve = selective_curve(np.stack([first_class, 1 - first_class], 1), np.array([0, 0, 0]))
    assert [p.threshold for p in curve.points] == pytest.approx([0.699998, 0.700009, 0.700015], abs=1e-12)


def test_confidences_that_differ_below_a_millionth_are_equal():
    first_class = np.array([0.99999999, 1.0, 0.9999992, 0.7000001, 0.7000009])
    curve = selective_curve(np.stack([first_class, 1 - first_class], 1), np.array([0, 0, 0, 1, 0]))
    assert [(p.threshold, p.answered, p.errors) for p in curve.points] == [(0.69999, 5, 1), (0.999989, 3, 0)]


@pytest.mark.parametrize("targets", [[0, 0, 0], [1, 1, 1]])
def test_all_right_and_all_wrong_have_every_even_coverage(targets):
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    curve = selective_curve(probabilities, np.array(targets))
    assert [(p.answered, p.errors) for p in curve.points] == [(k, k * targets[0]) for k in (3, 2, 1)]


def test_one_page_is_a_curve_of_one_point():
    curve = selective_curve(np.array([[0.4, 0.6]]), np.array([0]))
    assert [(p.threshold, p.answered, p.errors) for p in curve.points] == [(0.59999, 1, 1)]


def test_a_curve_of_forty_thousand_pages_takes_less_than_ten_kilobytes():
    curve = selective_curve(*drawn(40_000))
    assert len(json.dumps(curve.to_json())) < 10_000
