"""The second try of 'KD Beyond Model Compression' (arXiv:2007.01922) on clean pages, and docs/systems/beyond_more.md.

    distildoc study run studies/systems/beyond_more.yaml
    python benchmarks/systems/beyond_more.py runs/beyond_more              (20 seconds)

Of the settings of a method that with the higher mean accuracy on the validation pages is compared. Differences are
paired by seed and page (paired.py), and not corrected for their number.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paired
from beyond_claims import FAMILIES, NINE
from verdicts import apart, judged, verdict

from distildoc.study.results import Results

TRIED = (
    "the first try (beyond.yaml: real pages of five classes, two teachers); here generated pages of sixteen classes, "
    "40 a class, and two settings a method, one of ONE, chosen on validation pages"
)
ENSEMBLE = "one_ensemble"  # deploys three networks where all others deploy one
Found = Mapping[str, np.ndarray]


def claims(found: Found, best: Mapping[str, str]) -> list[dict[str, Any]]:
    gains = {name: paired.difference(found[best[name]], found["supervised"]) for name in NINE}
    mean_of = {family: mean_gain(found, best, methods) for family, methods in FAMILIES.items()}
    between = {
        f"{family} - the others": paired.difference(
            own, mean_gain(found, best, [name for name in NINE if name not in FAMILIES[family]])
        )
        for family, own in mean_of.items()
    }
    over_smoothing = paired.difference(found[best["kd"]], found["smoothing"])
    asked = {
        "Every one of the nine methods is more accurate than labels alone on clean pages": gains,
        "Distillation is a general way to train: peers without a teacher gain over labels alone as well": {
            name: gains[name] for name in FAMILIES["online"]
        },
        "Control: what KD gains is more than label smoothing gains": {"kd - smoothing": over_smoothing},
    }
    mimicked = {
        "claim": "What is mimicked matters: families of methods differ in their mean gain (second try)",
        "ours": between,
        "holds": judged([apart(one) for one in between.values()]),
        "tried": TRIED,
    }
    return [
        *(
            {"claim": f"{claim} (second try)", "ours": ours, "holds": verdict(*ours.values()), "tried": TRIED}
            for claim, ours in asked.items()
        ),
        mimicked,
    ]


def mean_gain(found: Found, best: Mapping[str, str], methods: Sequence[str]) -> np.ndarray:
    """Over labels alone, of every seed and page."""
    return np.mean([found[best[name]] - found["supervised"] for name in methods], axis=0)


def facts_of(results: Results) -> dict[str, Any]:
    arms = paired.arms_of(results)
    like = paired.tables_of(arms["supervised"])[0]
    found = {name: paired.accuracy(paired.tables_of(own), like) for name, own in arms.items()}
    single = [name for name in arms if name != ENSEMBLE]
    best = {method: paired.best_of(arms, [name for name in single if of(name) == method]) for method in NINE}
    return {
        "study": "studies/systems/beyond_more.yaml",
        "test_pages": len(like),
        "claims": claims(found, best),
        "chosen": best,
        **paired.figures(results, arms, found),
    }


def of(arm: str) -> str:
    """The method of an arm that is called METHOD_SETTING."""
    return arm.partition("_")[0]


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/beyond_more.md, all of it from the result file."""
    teacher = facts["teacher"]
    lines = ["# Beyond model compression, the second try", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += [
        f"Teacher: {100 * teacher['accuracy']:.1f} % on the test pages, {teacher['parameters']:,} weights; students "
        f"{facts['student']:,}. {facts['test_pages']:,} test pages, {len(facts['seeds'])} seeds; all "
        f"runs trained for {facts['training_minutes']:.0f} minutes.",
        "",
        "| arm | validation % | test % [95 %] | chosen |",
        "|---|--:|--:|---|",
    ]
    chosen = set(facts["chosen"].values())
    for arm, accuracy in sorted(facts["test_accuracy"].items(), key=lambda one: -one[1]["value"]):
        validated = f"{100 * facts['validation_accuracy'][arm]:.1f}"
        lines.append(f"| {arm} | {validated} | {paired.percent(accuracy)} | {'yes' if arm in chosen else ''} |")
    return "\n".join([*lines, "", *paired.claim_lines(facts["claims"]), "", f"Tried: {TRIED}.", ""])


INTRODUCTION = """
Made by `python benchmarks/systems/beyond_more.py` from [the result
file](../../benchmarks/results/systems/beyond_more.json); the study is
[studies/systems/beyond_more.yaml](../../studies/systems/beyond_more.yaml). The paper's conclusions, its other axes and
the first try are on [the page of beyond model compression](beyond.md).

In the first try, on real pages of five classes, labels alone left little to gain, and no method gained significantly
on clean pages. Here are generated pages of sixteen classes at 32 x 32 pixels, of which the students see 40 a class and
the teacher all. Labels alone turned out to leave little to gain here as well. What stands behind a method's name is
its weight; `one_ensemble` deploys all branches of ONE, and is shown beside, not chosen, so that ONE has one setting.
No weight goes past the edges of the first try's, at which all of its choices lay, and its choice for RKD, 0.01, is not
among the two here. As there, FitNet and FSP are terms beside the labels at constant weights, without the stages of
their papers, and BSS moves 8 pages of a batch in 5 steps where its authors have 64 and 10. Peers, families and label
smoothing are judged on clean pages alone; with wrong labels and rare classes they were tried once.
"""


if __name__ == "__main__":
    paired.main(__doc__, "beyond_more", facts_of, page)
