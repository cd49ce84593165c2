"""One rule for the verdicts of all studies, on 95 % intervals of differences that the claim wants above 0."""

from collections.abc import Mapping, Sequence
from typing import Any

LEVEL = 0.05
WORDS = {True: "holds", False: "does not hold", "partly": "holds in part"}


def verdict(*found: Mapping[str, Any]) -> bool | str:
    """True where all are above 0 beyond doubt, `partly` where some are and none is below, else False.

    Where a difference has `p_t_test`, of a t-test over the seeds, that has to be significant as well.
    """
    above = [one["low"] > 0 and one.get("p_t_test", 0) < LEVEL for one in found]
    return judged(above, any(one["high"] < 0 for one in found))


def judged(above: Sequence[bool], below: bool = False) -> bool | str:
    """The verdict where each comparison has its own test: which are for the claim, and whether one is against it."""
    if not above:
        raise ValueError("no comparison to judge a claim by")
    if all(above):
        return True
    return "partly" if any(above) and not below else False


def less(one: Mapping[str, float]) -> dict[str, float]:
    """The interval of a difference that the claim wants below 0, turned round."""
    return {"low": -one["high"], "high": -one["low"]}
