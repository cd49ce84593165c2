"""The risk-coverage curve to choose thresholds from: of all thresholds those that a choice can fall on.

Pages of equal confidence are answered together, and so are those that differ only behind the sixth decimal or are all
above 0.999999, since float32 can hardly tell them apart. A threshold lies up to 1e-5 below the page it lets in, where
no other page is, so that another processor, which rounds otherwise, answers the same pages.
"""

import numpy as np
from numpy.typing import NDArray

from distildoc.metrics.outcomes import Floats, Integers, Outcomes, Probabilities, outcomes
from distildoc.schema.selective import EVEN, OperatingPoint, SelectiveCurve

STEPS = 10**6  # of a confidence, which float32 holds to about 1e-7
SLACK = 10  # steps below a page
MOST_EXACT = 400  # error rates kept as they are; of more, those that RATES choose
RATES = np.concatenate([np.arange(101) / 1000, np.arange(11, 101) / 100])  # error rates that stay exact


def selective_curve(probabilities: Probabilities, targets: NDArray[np.int64]) -> SelectiveCurve:
    """Thresholds for [N, C] probabilities of pages with known classes [N], with what they answer and get wrong.

    It has the largest coverage for every error rate that is reached, or, where these are more than 400, for the whole
    per mille up to 10 %, the whole per cents above and the least one; and 40 evenly spaced coverages.
    """
    found = outcomes(probabilities, targets)
    thresholds, answered, errors = _every_point(found)
    shares = -(-len(found) * np.arange(1, EVEN + 1) // EVEN)
    even = len(answered) - 1 - np.searchsorted(answered[::-1], shares)
    kept = np.unique(np.concatenate([_largest_coverages(errors / answered), even]))
    points = zip(thresholds[kept].tolist(), answered[kept].tolist(), errors[kept].tolist(), strict=True)
    return SelectiveCurve(len(found), tuple(OperatingPoint(*point) for point in points))


def _every_point(found: Outcomes) -> tuple[Floats, Integers, Integers]:
    """Every threshold from the lowest, with the pages that reach it and the errors among them."""
    levels, group = np.unique(np.minimum(np.floor(found.confidence * STEPS), STEPS - 1), return_inverse=True)
    empty = np.diff(levels, prepend=-1) - 1
    answered = np.bincount(group, minlength=len(levels))
    errors = np.bincount(group, weights=1 - found.hits, minlength=len(levels)).astype(np.int64)
    return (levels - np.minimum(empty / 2, SLACK)) / STEPS, answered[::-1].cumsum()[::-1], errors[::-1].cumsum()[::-1]


def _largest_coverages(rates: Floats) -> Integers:
    """Positions of the points that no point of larger coverage equals in error rate, thinned where they are many."""
    (best,) = np.nonzero(rates < np.concatenate([[np.inf], np.minimum.accumulate(rates)[:-1]]))
    if len(best) <= MOST_EXACT:
        return best
    reached = RATES[rates[best[-1]] <= RATES]
    chosen = [int(np.argmax(rates <= rate)) for rate in reached]
    return np.array([best[0], *chosen, best[-1]], np.int64)
