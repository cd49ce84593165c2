"""Temperature scaling: one number, fitted on validation pages, that makes confidences honest.

    T = argmin over T of mean(-log softmax(z / T)[true])

Paper: Guo et al. 2017, arXiv:1706.04599, section 4.2. The order of the classes, and so the accuracy, stays as it is.
In b = 1 / T the loss is convex, and its slope mean(E_softmax(b z)[z] - z[true]) rises: the minimum is found by
bisection on the slope.
"""

import logging

import numpy as np
from numpy.typing import NDArray

from distildoc.metrics.outcomes import Floats

LOWEST, HIGHEST = 0.05, 20.0  # temperatures considered; a network that needs others is broken, not miscalibrated
HALVINGS = 60  # of the range of log T, down to rounding

logger = logging.getLogger(__name__)


def fit_temperature(logits: NDArray[np.float32] | Floats, targets: NDArray[np.int64]) -> float:
    """Temperature in [0.05, 20] that minimises the negative log-likelihood of [N, C] logits for [N] true classes.

    Never worse than 1 on these pages. Where every page is right the likelihood only grows as T falls, and pages
    without an error say nothing about honest confidence: 1 is returned, with a warning. Raises ValueError for shapes
    that do not fit or numbers that are not finite.
    """
    scores, truth = np.asarray(logits, np.float64), np.asarray(targets)
    if scores.ndim != 2 or truth.shape != scores.shape[:1] or scores.size == 0:
        raise ValueError(f"logits [N, C] and targets [N] are wanted, got {scores.shape} and {truth.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).any(1).sum())} of {len(scores)} pages have logits not finite")
    if truth.min() < 0 or truth.max() >= scores.shape[1]:
        raise ValueError(f"targets must be from 0 to {scores.shape[1] - 1}, got {truth.min()} to {truth.max()}")
    true = np.take_along_axis(scores, truth[:, None], 1)
    if (true >= scores).all():
        logger.warning("no error on %d validation pages: the temperature stays 1", len(scores))
        return 1.0
    found = _bisect(scores - true)
    if found in (LOWEST, HIGHEST):
        logger.warning("the temperature ends at its bound %g: %d validation pages do not settle it", found, len(scores))
    return found


def temperature_nll(logits: NDArray[np.float32] | Floats, targets: NDArray[np.int64], *, temperature: float) -> float:
    """Mean negative log-likelihood in nats of softmax(logits / temperature), without a clamp."""
    scores = np.asarray(logits, np.float64)
    gaps = (scores - np.take_along_axis(scores, targets[:, None], 1)) / temperature
    top = gaps.max(1)
    return float((top + np.log(np.exp(gaps - top[:, None]).sum(1))).mean())


def _bisect(gaps: Floats) -> float:
    """Root of the slope in log(1 / T), or the end of the range it points to."""
    low, high = np.log(1 / HIGHEST), np.log(1 / LOWEST)
    if _slope(gaps, np.exp(low)) >= 0:
        return HIGHEST
    if _slope(gaps, np.exp(high)) <= 0:
        return LOWEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _slope(gaps, np.exp(middle)) < 0:
            low = middle
        else:
            high = middle
    return float(np.exp(-(low + high) / 2))


def _slope(gaps: Floats, inverse: float) -> float:
    """Derivative of the mean loss by 1 / T; `gaps` are logits less that of the true class, [N, C]."""
    scaled = gaps * inverse
    weights = np.exp(scaled - scaled.max(1, keepdims=True))
    return float(((weights * gaps).sum(1) / weights.sum(1)).mean())
