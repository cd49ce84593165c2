"""The conclusions of 'Knowledge Distillation Beyond Model Compression' as claims, each with what was found."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from beyond_axes import DRAWS, Drawn
from verdicts import apart, judged, t_test, verdict

from distildoc.metrics.bootstrap import percentiles
from distildoc.metrics.outcomes import Floats
from distildoc.study.statistics import over_seeds

BASE, CONTROL = "supervised", "smoothing"
FAMILIES = {
    "response": ("kd", "bss"),
    "representation": ("fitnet", "attention", "fsp"),
    "relational": ("rkd", "sp"),
    "online": ("dml", "one"),
}
NINE = tuple(name for names in FAMILIES.values() for name in names)
TAUGHT = tuple(name for name in NINE if name not in FAMILIES["online"])
IMPERFECT = {"noise40": "40 % wrong labels", "noise60": "60 % wrong labels", "imbalance50": "classes 1 : 50"}
WEIGHTS = "three weights a method (two of KD and BSS) on validation pages, the best kept; "
TEACHERS = (
    "KD also from a teacher stopped on validation pages, at weight 0.9, and from one of all pages and true classes"
)

Place = tuple[str, str, str]  # pages, teacher, method
Draws = Mapping[Place, Drawn]  # values of all seeds, [S, 1 + R]
Claim = dict[str, Any]


def estimate(values: Floats) -> dict[str, float]:
    """Mean over seeds of [S, 1 + R], with the interval of pages and seeds."""
    drawn = over_seeds(values, resamples=DRAWS)
    low, high = percentiles(drawn[1:])
    return {"value": round(float(drawn[0]), 4), "low": round(low, 4), "high": round(high, 4)}


def tested(values: Floats) -> dict[str, float]:
    """The estimate of a difference, and p of a t-test over its seeds."""
    return {**estimate(values), "p_t_test": t_test(values[:, 0])}


def gains(
    draws: Draws, pages: str, teacher: str, methods: Sequence[str], *, score: str = "accuracy", base: str = BASE
) -> Floats:
    """Mean gain of some methods over labels alone, [S, 1 + R]; of the calibration error what it is lower by."""
    known = np.mean([draws[pages, teacher, name][score] for name in methods], 0)
    gain = known - draws[pages, "own", base][score]
    return -gain if score == "ece" else gain


def claims_of(draws: Draws) -> list[Claim]:
    return [
        beats_labels(draws),
        *(helps_more(draws, pages, words) for pages, words in IMPERFECT.items()),
        beyond_compression(draws),
        families(draws),
        more_than_smoothing(draws),
        better(draws, "ece", "Beyond the paper: distilled students are better calibrated than those of labels alone"),
        better(draws, "damaged", "Beyond the paper: distilled students name more damaged pages right"),
        better(draws, "attacked", "Beyond the paper: distilled students withstand more attacks"),
        better(draws, "transfer", "Beyond the paper: features of distilled students tell unseen classes better apart"),
    ]


def beats_labels(draws: Draws) -> Claim:
    found = {
        f"{teacher} teacher": {name: tested(gains(draws, "clean", teacher, [name])) for name in methods}
        for teacher, methods in (("own", NINE), ("clean", TAUGHT))
    }
    return {
        "claim": "Every one of the nine methods is more accurate than labels alone on clean pages",
        "ours": found,
        "holds": verdict(*(one for some in found.values() for one in some.values())),
        "tried": WEIGHTS + "a second teacher, that learnt from all pages",
    }


def helps_more(draws: Draws, pages: str, words: str) -> Claim:
    """The gain of KD, and of the nine, over labels alone is larger than on clean pages."""
    found: dict[str, Any] = {}
    for name, methods, teacher in (
        ("kd, own teacher", ["kd"], "own"),
        ("kd, stopped teacher", ["kd"], "stopped"),
        ("kd, clean teacher", ["kd"], "clean"),
        ("mean of the nine, own teacher", list(NINE), "own"),
    ):
        there, clean = gains(draws, pages, teacher, methods), gains(draws, "clean", teacher, methods)
        found[name] = {"more": tested(there - clean), "there": tested(there), "clean": tested(clean)}
    return {
        "claim": f"Distillation gains more over labels alone with {words} than on clean pages",
        "ours": found,
        "holds": verdict(*(one["more"] for one in found.values())),
        "tried": WEIGHTS + TEACHERS,
    }


def beyond_compression(draws: Draws) -> Claim:
    """Online methods have no teacher that could be compressed."""
    found = {
        f"{name}, {pages}": tested(gains(draws, pages, "own", [name]))
        for name in FAMILIES["online"]
        for pages in ("clean", *IMPERFECT)
    }
    return {
        "claim": "Distillation is a general way to train: peers without a teacher gain over labels alone as well",
        "ours": found,
        "holds": verdict(*found.values()),
        "tried": "the usual settings of both methods, on four kinds of pages",
    }


def families(draws: Draws) -> Claim:
    """What is mimicked is said to matter: the mean gain of a family, less that of the others."""
    found: dict[str, Any] = {}
    for pages in ("clean", *IMPERFECT):
        for family, methods in FAMILIES.items():
            others = [name for name in NINE if name not in methods]
            found[f"{family}, {pages}"] = tested(
                gains(draws, pages, "own", methods) - gains(draws, pages, "own", others)
            )
    return {
        "claim": "What is mimicked matters: families of methods differ in their mean gain (own teacher)",
        "ours": found,
        "holds": judged([apart(one) for one in found.values()]),
        "tried": WEIGHTS + "four families on four kinds of pages",
    }


def more_than_smoothing(draws: Draws) -> Claim:
    """A control that the study adds: soft targets that know nothing."""
    found = {
        f"{pages}, {teacher} teacher": tested(gains(draws, pages, teacher, ["kd"], base=CONTROL))
        for pages in ("clean", *IMPERFECT)
        for teacher in ("own", "stopped", "clean")
    }
    return {
        "claim": "Control: what KD gains is more than label smoothing gains",
        "ours": found,
        "holds": verdict(*found.values()),
        "tried": "label smoothing 0.1; " + WEIGHTS + TEACHERS,
    }


def better(draws: Draws, score: str, words: str) -> Claim:
    """Mean of the nine with the own teacher, of seven with the clean one, and each family."""
    found = {
        "mean of the nine, own teacher": tested(gains(draws, "clean", "own", NINE, score=score)),
        "mean of the seven, clean teacher": tested(gains(draws, "clean", "clean", TAUGHT, score=score)),
    } | {
        f"{family}, own teacher": tested(gains(draws, "clean", "own", methods, score=score))
        for family, methods in FAMILIES.items()
    }
    return {
        "claim": words,
        "ours": found,
        "holds": verdict(*found.values()),
        "tried": WEIGHTS + "two teachers, on clean pages",
    }
