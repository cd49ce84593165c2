"""DiffKD's noise adapter and auto-encoder (arXiv:2305.15712), the second try, and docs/systems/diffkd_parts.md.

    distildoc study run studies/systems/diffkd_parts.yaml -o runs/systems/diffkd_parts
    python benchmarks/systems/diffkd_parts.py runs/systems/diffkd_parts              (30 seconds)

Differences are paired by seed and page (paired.py). Nothing is chosen here: weight and temperature are those that the
validation pages of diffkd_more.yaml chose with other seeds. What the noise adapter keeps is in the result file of
that study.
"""

import json
from collections.abc import Mapping
from typing import Any

import diffkd_nearer as nearer
import numpy as np
import paired
from verdicts import verdict

from distildoc.study.results import Results

STUDY = "studies/systems/diffkd_parts.yaml"
NAMES = {
    "supervised": "labels alone",
    "kd": "labels and KD, T 1",
    "mse": "labels and MSE with the adapters",
    "diffkd": "labels and DiffKD on the map",
    "no_adapter": "the same without the noise adapter",
    "no_code": "the same without the auto-encoder",
}
SAME = "diffkd_1"  # the arm of diffkd_more.yaml with the settings of `diffkd` here
CONTROLS = ("mse", "no_")  # begin the names of arms that stand against the method
AGAIN = (
    "the first try (diffkd.yaml: real pages, 360 steps) and the second (diffkd_more.yaml: generated pages, 720 steps, "
    "two settings of every kind chosen on validation pages, three seeds); here that setting with new seeds"
)
TRIED = {
    "The noise adapter and the auto-encoder each help, on the map (second try)": (
        ("no_adapter", "no_code"),
        "the first try (diffkd.yaml: real pages, 360 steps, three seeds); here the setting and the weight in which "
        "DiffKD gained something, and new seeds",
    ),
    "Denoising before comparing beats plain MSE with the same adapters, on the map (third try)": (("mse",), AGAIN),
    "DiffKD beats labels alone and vanilla KD, on the map (third try)": (("supervised", "kd"), AGAIN),
}


def claims(found: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    told = []
    for claim, (others, tried) in TRIED.items():
        ours = {f"DiffKD - {other}": paired.difference(found["diffkd"], found[other]) for other in others}
        told.append({"claim": claim, "ours": ours, "holds": verdict(*ours.values()), "tried": tried})
    return told


def facts_of(results: Results) -> dict[str, Any]:
    arms = paired.arms_of(results)
    tables = {name: paired.tables_of(cells) for name, cells in arms.items()}
    found = {name: paired.accuracy(own, tables["supervised"][0]) for name, own in tables.items()}
    return {
        "study": STUDY,
        "test_pages": len(tables["supervised"][0]),
        "claims": claims(found),
        **paired.figures(results, arms, found, controls=CONTROLS),
    }


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/diffkd_parts.md, all of it from the result file."""
    teacher = facts["teacher"]
    lines = ["# DiffKD: its parts, the second try", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += [
        f"Teacher: {100 * teacher['accuracy']:.1f} % on the test pages, {teacher['parameters']:,} weights; students "
        f"{facts['student']:,}. {facts['test_pages']:,} test pages, {len(facts['seeds'])} seeds; all runs trained for "
        f"{facts['training_minutes']:.0f} minutes.",
        "",
        *paired.score_lines(facts, NAMES),
        "",
        *paired.claim_lines(facts["claims"]),
        "",
        *paired.tried_lines(facts["claims"]),
        "",
        f"In the second try of the other claims, in the same setting, the noise adapter kept {share_before():.3f} of "
        "the student's code and made up the rest with noise, so that DiffKD with and without it are nearly one "
        "method. Here the share was not measured.",
        "",
        *READING.strip().splitlines(),
    ]
    return "\n".join([*lines, ""])


def share_before() -> float:
    """Of the student's code, with DiffKD in this setting and the seeds of diffkd_more.yaml."""
    path = paired.ROOT / "benchmarks" / "results" / "systems" / "diffkd_more.json"
    stages = json.loads(path.read_text(encoding="utf-8"))["features"]["stages"]
    return float(stages[SAME][nearer.SHARE]["value"])


INTRODUCTION = """
Made by `python benchmarks/systems/diffkd_parts.py` from
[the result file](../../benchmarks/results/systems/diffkd_parts.json); the study is
[studies/systems/diffkd_parts.yaml](../../studies/systems/diffkd_parts.yaml). The claims, the method and the first try
are on [the page of DiffKD](diffkd.md).

On real pages neither the noise adapter nor the auto-encoder could be told to help. In [the second try](diffkd_more.md)
of the other claims DiffKD at the paper's weight of 1 was ahead of labels and of plain MSE in all of three seeds, which
were too few. Here are that setting, that weight and KD at the temperature chosen there, with seeds of their own, and
DiffKD without either part. DiffKD and its controls are on the last map alone; the controls have its weight and no
choice of their own.
"""
READING = """
Neither part can be told to help: without the noise adapter, and without the auto-encoder, students are as accurate as
with it in the mean, and the seeds disagree on the sign. All three denoise, and all three are in the mean ahead of plain
MSE with the same adapters, of KD and of labels alone. DiffKD is ahead of labels in all seeds, by interval and t-test;
of MSE and of KD it is in four of five, with intervals above 0, but a t-test of the seeds does not tell these gains from
none. Students of 4,618 weights differ much from seed to seed.
"""


if __name__ == "__main__":
    paired.main(__doc__, "diffkd_parts", facts_of, page)
