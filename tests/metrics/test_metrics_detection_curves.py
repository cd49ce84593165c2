"""Oracles: hand values, and scores counted one threshold at a time."""

import numpy as np
import pytest

from distildoc.metrics import best_thresholds, intervals, layout_outcomes
from distildoc.metrics.detection_curves import (
    SHOWN_SCORES,
    box_reliability,
    class_f1s,
    class_precisions,
    class_recalls,
    precision_recall,
)
from distildoc.metrics.detection_matching import FoundBoxes, TrueBoxes

LABELS = ("text", "title", "table")


def true_boxes(boxes=(), classes=(), crowd=None):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    return TrueBoxes(boxes, np.array(classes, np.int64), np.array(crowd or [False] * len(boxes), bool))


def found_boxes(boxes=(), classes=(), scores=()):
    return FoundBoxes(np.array(boxes, float).reshape(-1, 4), np.array(classes, np.int64), np.array(scores, float))


@pytest.fixture
def outcomes():
    """Ten pages of a text every 20 pixels, found where a sine says so, and texts that are not there."""
    truth, found = [], []
    for page in range(10):
        boxes = np.array([[0, 20 * row, 50, 20 * row + 10] for row in range(5)], float)
        wave = np.sin(1.3 * page + 2.1 * np.arange(8))
        seen = np.concatenate([boxes, boxes[:3] + 200])
        truth.append(true_boxes(boxes, [0, 0, 0, 1, 1]))
        found.append(found_boxes(seen + 2 * wave[:, None], [0, 0, 0, 1, 0, 0, 1, 1], np.round(0.5 + 0.4 * wave, 1)))
    return layout_outcomes(truth, found, LABELS)


def test_threshold_has_the_best_f1_of_all_scores(outcomes):
    chosen = best_thresholds(outcomes)

    def f1(column, threshold):
        one = outcomes.classes[column]
        kept = one.counted[0] & (one.scores >= threshold)
        return 2 * one.hits[0][kept].sum() / (kept.sum() + outcomes.true[:, column].sum())

    for column, label in enumerate(LABELS[:2]):
        best = max(f1(column, score) for score in outcomes.classes[column].scores)
        assert 0 < f1(column, chosen[label]) == pytest.approx(best)
    assert chosen["table"] == 0.5  # no true one


def test_threshold_lies_between_the_last_kept_and_the_first_dropped_score():
    truth = [true_boxes([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 0])]
    boxes = [[0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]]
    found = layout_outcomes(truth, [found_boxes(boxes, [0] * 3, [0.75, 0.5, 0.25])], LABELS)
    assert best_thresholds(found)["text"] == 0.375


def test_threshold_of_a_class_that_is_never_found_is_a_half():
    found = layout_outcomes([true_boxes([[0, 0, 9, 9]], [0])], [found_boxes([[50, 50, 60, 60]], [0], [0.9])], LABELS)
    assert best_thresholds(found)["text"] == 0.5


def test_precision_recall_curve_averages_to_the_ap_and_falls(outcomes):
    for iou in (0, 5):
        recalls, precisions = precision_recall(outcomes, 0, iou=iou)
        assert precisions.mean() == pytest.approx(outcomes.whole[iou, 0])
        assert (np.diff(precisions) <= 0).all()
        assert recalls[50] == 0.5
    assert not precision_recall(outcomes, 2)[1].any()


def test_precision_and_recall_are_the_hand_counts():
    truth = [true_boxes([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 1]), true_boxes([[0, 0, 10, 10]], [0])]
    found = [found_boxes([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 0], [0.9, 0.8]), found_boxes()]
    outcomes, whole = layout_outcomes(truth, found, LABELS), np.ones((1, 2))
    np.testing.assert_array_equal(class_recalls(outcomes, whole), [[0.5, 0, np.nan]])
    np.testing.assert_array_equal(class_precisions(outcomes, whole), [[0.5, np.nan, np.nan]])
    np.testing.assert_array_equal(class_f1s(outcomes, whole), [[0.5, 0, np.nan]])
    scores = {name: score(outcomes, np.array([[1.0, 0.0], [1.0, 1.0]])) for name, score in SHOWN_SCORES.items()}
    np.testing.assert_allclose(scores["recall"], [1 / 2, 1 / 3])
    np.testing.assert_allclose(scores["precision"], [1 / 2, 1 / 2])
    np.testing.assert_allclose(scores["f1"], [2 / 4, 2 / 5])


def test_where_nothing_is_shown_there_is_no_precision():
    outcomes = layout_outcomes([true_boxes([[0, 0, 9, 9]], [0])], [found_boxes()], LABELS)
    assert set(intervals(outcomes, SHOWN_SCORES, seed=0, resamples=5)) == {"recall", "f1"}


def test_reliability_counts_hits_by_score_and_leaves_crowds_out():
    truth = [true_boxes([[0, 0, 10, 10], [20, 0, 30, 10], [100, 100, 200, 200]], [0, 1, 1], [False, False, True])]
    boxes = [[0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60], [110, 110, 120, 120]]
    bins = box_reliability(layout_outcomes(truth, [found_boxes(boxes, [0, 1, 1, 1], [0.99, 0.1, 0.12, 0.9])], LABELS))
    assert [(one.pages, one.accuracy) for one in bins] == [(2, 0.5), (1, 1.0)]
    assert bins[0].confidence == pytest.approx(0.11)
