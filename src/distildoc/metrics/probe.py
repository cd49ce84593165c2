"""Linear probe: how well a linear classifier reads other classes off the features of a frozen network.

    W = argmin  || Y - Z W ||^2 + strength N || W ||^2,      Z = (x - mean) / deviation,  Y = onehot - mean

Ridge regression onto one-hot classes, mean and deviation those of the N pages it learns from: a closed form, with
nothing drawn. Hoerl and Kennard 1970, "Ridge regression", Technometrics 12. The strength is the one, among some, whose
probe names most validation pages right; of equals the weakest.
"""

from collections.abc import Sequence

import numpy as np

from distildoc.metrics.outcomes import Floats
from distildoc.metrics.retrieval import Vectors

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
SMALLEST = 1e-9  # deviation; a feature that is the same on all pages stays 0


def probed(learnt: Vectors, validation: Vectors, asked: Vectors, *, strengths: Sequence[float] = STRENGTHS) -> Floats:
    """1 where the probe of `learnt` names a page of `asked` right, else 0, [N of asked]; `validation` picks a strength.

    Raises ValueError where classes are asked for that were not learnt, or a strength is not above 0.
    """
    if min(strengths) <= 0:
        raise ValueError(f"a strength must be above 0, got {min(strengths)}")
    for other in (validation, asked):
        if unknown := set(other.classes.tolist()) - set(learnt.classes.tolist()):
            raise ValueError(f"the probe has seen no page of the classes {sorted(unknown)}")
    probes = [_fitted(learnt, strength) for strength in sorted(strengths)]
    best = max(probes, key=lambda probe: _right(probe, learnt, validation).sum())
    return _right(best, learnt, asked)


def _fitted(learnt: Vectors, strength: float) -> Floats:
    """Weights [D, C], classes in the order of their numbers."""
    rows = _scaled(learnt.rows, learnt)
    onehot = np.equal(learnt.classes[:, None], np.unique(learnt.classes)).astype(np.float64)
    squares = rows.T @ rows + strength * len(rows) * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(squares, rows.T @ (onehot - onehot.mean(0))))


def _right(weights: Floats, learnt: Vectors, pages: Vectors) -> Floats:
    """1 where the largest output is that of the page's class, [N]."""
    classes, counts = np.unique(learnt.classes, return_counts=True)
    said = _scaled(pages.rows, learnt) @ weights + counts / len(learnt.classes)
    return np.asarray(np.equal(classes[said.argmax(1)], pages.classes), np.float64)


def _scaled(rows: Floats, learnt: Vectors) -> Floats:
    return np.asarray((rows - learnt.rows.mean(0)) / np.maximum(learnt.rows.std(0), SMALLEST))
