"""The claims about LELP's controls (arXiv:2409.20449) that its studies share.

LELP with random sub-classes is compared with KD, and LELP with it: each at the temperature that the validation pages
choose, and both at that of the first. These two decide; other temperatures are told beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import paired
from verdicts import at_least, less, verdict

MARGIN = 0.01  # of accuracy, which random sub-classes may gain over KD and still do not help
MARGIN_TOLD = """
Random sub-classes do not help where a gain over KD of more than one point can be ruled out, both against KD at its best
temperature and at equal temperature; a verdict that this does not hold is none that they help.
"""
MARGIN_SET_LATER = f"""{MARGIN_TOLD.rstrip()}
Temperatures above 1 for them, where they have any, this margin and this rule were set after they had been seen at
temperature 1, where they were judged against KD at its best temperature alone, with a margin of two points.
"""
Found = Mapping[str, np.ndarray]  # arm -> accuracies, as in paired.py


@dataclass(frozen=True)
class Method:
    """arms  by temperature; a study need not have all of them."""

    word: str
    arms: Mapping[int, str]

    def temperature(self, arm: str) -> int:
        return next(temperature for temperature, name in self.arms.items() if name == arm)

    def of(self, found: Mapping[str, Any]) -> dict[int, str]:
        """The arms that a study has."""
        return {temperature: name for temperature, name in self.arms.items() if name in found}

    def best(self, arms: paired.Arms) -> str:
        """Of the arms that a study has, the one that the validation pages choose."""
        return paired.best_of(arms, list(self.of(arms).values()))

    def told(self, found: Found, best: str) -> str:
        *others, last = [str(temperature) for temperature in self.of(found)]
        temperatures = f"{', '.join(others)} and {last}" if others else last
        return f"at {temperatures} (chosen on validation data: {self.temperature(best)})"


KD = Method("KD", {1: "kd_1", 4: "kd_4", 10: "kd_10"})
LELP = Method("LELP", {1: "lelp_8", 4: "lelp_8_t4", 10: "lelp_8_t10"})
RANDOM = Method(
    "random", {1: "random_subclasses", 4: "random_subclasses_t4", 10: "random_subclasses_t10"}
)  # S and beta of LELP's


def claimed(claim: str, ours: Mapping[str, Any], tried: str) -> dict[str, Any]:
    """A claim that wants all of its differences above 0."""
    return {"claim": claim, "ours": dict(ours), "holds": verdict(*ours.values()), "tried": tried}


def at_most(one: Mapping[str, Any], margin: float) -> dict[str, float]:
    """A difference that may be `margin` above 0, turned round for the verdict."""
    return at_least({**less(one), "seeds": [-value for value in one["seeds"]]}, margin)


def differences(
    found: Found, ours: tuple[Method, str], theirs: tuple[Method, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of two methods, each with its best arm: the differences that decide, and those at other temperatures."""
    (one, best), (other, their_best) = ours, theirs
    both, own = one.of(found), other.of(found)
    equal = {
        t: paired.difference(found[both[t]], found[own[t]])
        for t in sorted(both.keys() & own.keys(), key=lambda t: (t != one.temperature(best), t))
    }
    named = {f"{one.word} - {other.word}, both at {t}": value for t, value in equal.items()}
    first = next(iter(named))
    decide = {first: named.pop(first)}
    if one.temperature(best) != other.temperature(their_best):
        decide = {f"{one.word} - {other.word}": paired.difference(found[best], found[their_best]), **decide}
    return decide, named


def random_claim(
    found: Found, kd: str, random: str, *, where: str = "With two classes", again: str = ""
) -> dict[str, Any]:
    """`kd` and `random` are the arms that the validation pages chose."""
    decide, others = differences(found, (RANDOM, random), (KD, kd))
    within = {name: at_most(one, MARGIN) for name, one in decide.items()}
    p = ", ".join(f"{one['p_t_test']:.3f} for {name}" for name, one in within.items())
    labels = {"random - labels": paired.difference(found[random], found["supervised"])}
    return {
        "claim": f"{where} random sub-classes do not help: at most a point over KD, at its best and at their "
        f"temperature{again}",
        "ours": {**decide, **others, **labels},
        "holds": verdict(*within.values()),
        "tried": f"random sub-classes with S 8, beta 0.5 {RANDOM.told(found, random)}, KD {KD.told(found, kd)}; p of "
        f"the t-test against a gain of one point {p}",
    }


def embeddings_claim(found: Found, lelp: str, random: str, *, where: str = "", again: str = "") -> dict[str, Any]:
    """`lelp` and `random` are the arms of S 8, beta 0.5 that the validation pages chose."""
    decide, others = differences(found, (LELP, lelp), (RANDOM, random))
    start = f"{where} it" if where else "It"
    judged = claimed(
        f"{start} is the embeddings: LELP beats random soft sub-classes (same S and beta){again}",
        decide,
        f"S 8, beta 0.5; LELP {LELP.told(found, lelp)}, random sub-classes {RANDOM.told(found, random)}",
    )
    return {**judged, "ours": {**decide, **others}}
