"""One rule for the verdicts of all studies, on 95 % intervals of differences that the claim wants above 0.

A difference counts where its interval, of draws of pages and of seeds, lies above 0 and a t-test over its seeds agrees.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import ttest_1samp

LEVEL = 0.05
ALIKE = 1e-9  # differences of seeds that differ by less do so by rounding alone
WORDS = {True: "holds", False: "does not hold", "partly": "holds in part"}


def verdict(*found: Mapping[str, Any]) -> bool | str:
    """True where all are above 0 beyond doubt, `partly` where some are and none is below, else False."""
    return judged([above(one) for one in found], any(one["high"] < 0 for one in found))


def judged(above: Sequence[bool], below: bool = False) -> bool | str:
    """The verdict where each comparison has its own test: which are for the claim, and whether one is against it."""
    if not above:
        raise ValueError("no comparison to judge a claim by")
    if all(above):
        return True
    return "partly" if any(above) and not below else False


def above(one: Mapping[str, Any]) -> bool:
    """Whether a difference is above 0 beyond doubt."""
    return bool(one["low"] > 0 and one["p_t_test"] < LEVEL)


def apart(one: Mapping[str, Any]) -> bool:
    """Whether a difference is above or below 0 beyond doubt."""
    return above(one) or above(less(one))


def less(one: Mapping[str, Any]) -> dict[str, float]:
    """The interval of a difference that the claim wants below 0, turned round."""
    return {"low": -one["high"], "high": -one["low"], "p_t_test": one["p_t_test"]}


def at_least(one: Mapping[str, Any], margin: float) -> dict[str, float]:
    """A difference, with its `seeds`, that may be `margin` below 0."""
    p = t_test([value + margin for value in one["seeds"]])
    return {"low": one["low"] + margin, "high": one["high"] + margin, "p_t_test": p}


def t_test(seeds: Sequence[float] | np.ndarray) -> float:
    """p of the differences of the seeds against 0, two-sided; 1 where they are too few or all alike to say."""
    if len(seeds) < 2 or np.ptp(seeds) < ALIKE:
        return 1.0
    return round(float(ttest_1samp(seeds, 0).pvalue), 4)
