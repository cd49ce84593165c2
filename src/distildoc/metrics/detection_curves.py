"""Scores of detections at IoU .50 and one threshold of the score: precision, recall, F1, the best threshold, honesty.

A detection hits where it takes a true box of its class by COCO's matching (detection_matching); those set aside for a
crowd count nowhere.
"""

from collections.abc import Callable, Mapping

import numpy as np

from distildoc.metrics.detection import RECALLS, LayoutOutcomes, steps
from distildoc.metrics.detection_matching import ClassMatches
from distildoc.metrics.outcomes import Floats
from distildoc.schema.report import ReliabilityBin

BINS = 15  # as for classification
UNDECIDED = 0.5  # threshold of a class of which nothing is known


def best_thresholds(found: LayoutOutcomes) -> dict[str, float]:
    """For every class the score from which keeping its detections gives the best F1 at IoU .50; the higher of equals.

    It lies midway to the next lower score, so that rounding does not move it past a detection. 0.5 for a class
    without true boxes, or none of whose boxes is found.
    """
    true = found.true.sum(0)
    return {
        label: _best_threshold(one, boxes)
        for label, one, boxes in zip(found.labels, found.classes, true.tolist(), strict=True)
    }


def precision_recall(found: LayoutOutcomes, column: int, *, iou: int = 0) -> tuple[Floats, Floats]:
    """Recalls RECALLS [101] and the largest precision [101] there of one class, at IOUS[iou]; as AP averages them."""
    one = found.classes[column]
    here = np.flatnonzero(one.hits[iou])
    precisions = np.zeros(len(RECALLS))
    if len(here):
        right, seen = np.arange(1, len(here) + 1)[None], np.cumsum(one.counted[iou])[None, here]
        largest, points = steps(right.astype(np.float64), seen.astype(np.float64), found.true[:, column].sum()[None])
        reached = np.repeat(largest[0], points[0].astype(np.int64))
        precisions[: len(reached)] = reached
    return RECALLS, precisions


def box_reliability(found: LayoutOutcomes, *, bins: int = BINS) -> list[ReliabilityBin]:
    """Share of detections that hit at IoU .50 against their score, in bins (a, b] of equal width that hold any."""
    scores = np.concatenate([one.scores[one.counted[0]] for one in found.classes])
    hits = np.concatenate([one.hits[0][one.counted[0]] for one in found.classes])
    edges = np.linspace(0, 1, bins + 1)
    numbers = np.searchsorted(edges[1:-1], scores, side="left")
    result = []
    for number in np.unique(numbers):
        rows = numbers == number
        low, high = float(edges[number]), float(edges[number + 1])
        result.append(ReliabilityBin(low, high, int(rows.sum()), float(scores[rows].mean()), float(hits[rows].mean())))
    return result


def class_counts(found: LayoutOutcomes, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Hits, detections and true boxes of every draw and class, each [R, C]."""
    hits, shown = (np.zeros((len(found), len(found.classes))) for _ in range(2))
    for column, one in enumerate(found.classes):
        hits[:, column] = np.bincount(one.pages, one.hits[0], minlength=len(found))
        shown[:, column] = np.bincount(one.pages, one.counted[0], minlength=len(found))
    return counts @ hits, counts @ shown, counts @ found.true


def class_recalls(found: LayoutOutcomes, counts: Floats) -> Floats:
    """Share of the true boxes of a class that are found, [R, C]; NaN where a draw has none."""
    hits, _, true = class_counts(found, counts)
    return _ratio(hits, true)


def class_precisions(found: LayoutOutcomes, counts: Floats) -> Floats:
    """Share of the detections of a class that hit, [R, C]; NaN where a draw has none."""
    hits, shown, _ = class_counts(found, counts)
    return _ratio(hits, shown)


def class_f1s(found: LayoutOutcomes, counts: Floats) -> Floats:
    """F1 of a class, [R, C]; NaN where a draw has neither true box nor detection of it."""
    hits, shown, true = class_counts(found, counts)
    return _ratio(2 * hits, shown + true)


def recalls(found: LayoutOutcomes, counts: Floats) -> Floats:
    """Share of all true boxes that are found, [R]."""
    hits, _, true = class_counts(found, counts)
    return _ratio(hits.sum(1), true.sum(1))


def precisions(found: LayoutOutcomes, counts: Floats) -> Floats:
    """Share of all detections that hit, [R]; NaN where a draw has none."""
    hits, shown, _ = class_counts(found, counts)
    return _ratio(hits.sum(1), shown.sum(1))


def f1s(found: LayoutOutcomes, counts: Floats) -> Floats:
    """F1 over the boxes of all classes together, [R]."""
    hits, shown, true = class_counts(found, counts)
    return _ratio(2 * hits.sum(1), (shown + true).sum(1))


def _best_threshold(one: ClassMatches, boxes: float) -> float:
    kept = one.counted[0]
    scores, right = one.scores[kept], np.cumsum(one.hits[0][kept])
    if not boxes or not len(right) or not right[-1]:
        return UNDECIDED
    last = np.append(scores[1:] < scores[:-1], True)  # equals are kept together
    f1 = np.where(last, 2 * right / (np.arange(1, len(right) + 1) + boxes), 0)
    best = int(f1.argmax())
    return float(scores[best : best + 2].mean())


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


SHOWN_SCORES: Mapping[str, Callable[[LayoutOutcomes, Floats], Floats]] = {
    "precision": precisions,
    "recall": recalls,
    "f1": f1s,
}
