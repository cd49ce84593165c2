"""Accuracy, macro-F1, the scores of single classes, and the confusion matrix.

Plain functions take probabilities [N, C] and targets [N]; those in the plural take outcomes and counts [R, N].
"""

import numpy as np
from numpy.typing import NDArray

from distildoc.metrics.outcomes import Floats, Integers, Outcomes, Probabilities, drawn_pages, once, outcomes


def accuracy(probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """Share of pages whose most probable class is the true one, 0..1.

    >>> accuracy(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0]))
    0.5
    """
    return once(accuracies, probabilities, targets)


def macro_f1(probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """Mean over classes of F1 = 2 TP / (2 TP + FP + FN), 0..1.

    Classes that are neither true nor predicted on any page are left out, as in scikit-learn.
    """
    return once(macro_f1s, probabilities, targets)


def confusion(probabilities: Probabilities, targets: NDArray[np.int64]) -> Integers:
    """Counts [C, C]: rows are true classes, columns predicted ones."""
    found = outcomes(probabilities, targets)
    cells = found.targets * found.classes + found.predicted
    return np.bincount(cells, minlength=found.classes**2).reshape(found.classes, found.classes)


def accuracies(found: Outcomes, counts: Floats) -> Floats:
    """Accuracy of every draw [R]."""
    right: Floats = counts @ found.hits
    return right / drawn_pages(counts)


def macro_f1s(found: Outcomes, counts: Floats) -> Floats:
    """Macro-F1 of every draw [R]; each draw leaves out the classes it does not hold."""
    return np.asarray(np.nanmean(class_f1s(found, counts), axis=1))


def class_recalls(found: Outcomes, counts: Floats) -> Floats:
    """Share of the pages of a class that are found, [R, C]; NaN where a draw has no page of it."""
    hits, true, _ = _class_counts(found, counts)
    return _ratio(hits, true)


def class_precisions(found: Outcomes, counts: Floats) -> Floats:
    """Share of the pages called a class that are of it, [R, C]; NaN where a draw has no such call."""
    hits, _, predicted = _class_counts(found, counts)
    return _ratio(hits, predicted)


def class_f1s(found: Outcomes, counts: Floats) -> Floats:
    """F1 of every class, [R, C]; NaN where a class is neither true nor predicted in a draw."""
    hits, true, predicted = _class_counts(found, counts)
    return _ratio(2 * hits, true + predicted)


def _class_counts(found: Outcomes, counts: Floats) -> tuple[Floats, Floats, Floats]:
    classes = np.arange(found.classes)
    true = (found.targets[:, None] == classes).astype(np.float64)
    predicted = (found.predicted[:, None] == classes).astype(np.float64)
    return counts @ (true * predicted), counts @ true, counts @ predicted


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
