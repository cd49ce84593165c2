"""LELP's claims (arXiv:2409.20449) held against the finished study, and docs/systems/lelp.md.

    distildoc study run studies/systems/lelp.yaml
    python benchmarks/systems/lelp.py runs/lelp              (10 seconds)

Of the two temperatures of KD and the two settings of LELP that with the higher mean accuracy on the validation pages
is compared. Differences are paired: by seed, with a t-test of the seeds' differences, and by seed and page, with the
interval of the study's report (study.statistics). The oracle, which the study tool does not score, is what students of
the 16 classes say, with their probabilities added up to the two.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import paired

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lelp_claims import MARGIN_SET_LATER, RANDOM, claimed, embeddings_claim, random_claim
from measuring import ROOT

from distildoc.evaluate.table import PageTable
from distildoc.study.config import read_study
from distildoc.study.results import Results

STUDY = "studies/systems/lelp.yaml"
KD_CLAIM = "With two classes and few pages KD at its best temperature beats the same pages' labels"
EVEN = 0.02  # of accuracy, within which two methods are called even with 16 classes


def folded(table: PageTable, fold: Mapping[str, str]) -> PageTable:
    """The table with the probabilities of classes that go to one added up."""
    labels = tuple(sorted(set(fold.values())))
    column = np.array([labels.index(fold[name]) for name in table.labels])
    probabilities = table.probabilities @ np.eye(len(labels), dtype=np.float32)[column]
    return PageTable(table.pages, labels, column[table.targets], probabilities)


def no_gain(found: Mapping[str, Any]) -> bool:
    """Whether nothing is gained and nothing lost: the interval lies within EVEN of 0."""
    return bool(-EVEN <= found["low"] <= found["high"] <= EVEN)


def claims(two: Mapping[str, np.ndarray], sixteen: Mapping[str, np.ndarray], best: Mapping[str, str]) -> list[Any]:
    kd, lelp, random = (best[f"{method}, 2 classes"] for method in ("kd", "lelp", "random"))
    tried = "KD at temperatures 1 and 4, LELP with S 8, beta 0.5 and S 3, beta 1; chosen on validation pages"
    oracle = "the oracle: KD (temperature chosen on validation pages) with the 16 classes, folded to two"
    to_kd = {"LELP - KD": paired.difference(two[lelp], two[kd])}
    to_labels = {"KD - labels": paired.difference(two[kd], two["supervised"])}
    to_oracle = {"oracle - LELP": paired.difference(two["oracle"], two[lelp])}
    at_sixteen = paired.difference(sixteen["lelp_8"], sixteen[best["kd, 16 classes"]])
    return [
        claimed("With two classes and few pages LELP beats KD at its best temperature", to_kd, tried),
        embeddings_claim(two, "lelp_8", random),
        random_claim(two, kd, random),
        claimed("True fine labels beat LELP, and LELP beats KD", {**to_oracle, **to_kd}, oracle),
        claimed(KD_CLAIM, to_labels, tried),
        {
            "claim": "With 16 classes there is nothing to gain over KD, and nothing lost",
            "ours": {"LELP - KD": at_sixteen},
            "holds": no_gain(at_sixteen),
            "tried": "KD at temperatures 1 and 4, chosen on validation pages; LELP with S 8, beta 0.5",
        },
    ]


def facts_of(results: Results) -> dict[str, Any]:
    cells = {at: paired.arms_of(results, classes=at) for at in ("two", "sixteen")}
    score = {
        at: {name: round(paired.validated(own), 4) for name, own in methods.items()} for at, methods in cells.items()
    }
    best = {
        "kd, 2 classes": paired.best_of(cells["two"], ("kd_1", "kd_4")),
        "random, 2 classes": RANDOM.best(cells["two"]),
        "lelp, 2 classes": paired.best_of(cells["two"], ("lelp_8", "lelp_3")),
        "kd, 16 classes": paired.best_of(cells["sixteen"], ("kd_1", "kd_4")),
    }
    fold = read_study(ROOT / STUDY).axes["classes"]["two"]["data"]["labels"]["rename"]
    tables = {at: {name: paired.tables_of(own) for name, own in methods.items()} for at, methods in cells.items()}
    for name, method in {"oracle": best["kd, 16 classes"], "oracle_labels": "supervised"}.items():
        tables["two"][name] = [folded(table, fold) for table in tables["sixteen"][method]]
    found = {
        at: {name: paired.accuracy(own, methods["supervised"][0]) for name, own in methods.items()}
        for at, methods in tables.items()
    }
    teachers = {entry.name: entry.report() for entry in results.before}
    return {
        "study": STUDY,
        "cells": len({entry.key for entry in results.entries}),
        "done": len({entry.key for entry in results.entries if entry.status == "done"}),
        "test_pages": len(tables["two"]["supervised"][0]),
        "claims": claims(found["two"], found["sixteen"], best),
        "chosen": best,
        "teachers": {n: round(r.scores["accuracy"].value, 4) for n, r in teachers.items() if r is not None},
        "validation_accuracy": score,
        "test_accuracy": {at: {n: paired.estimate(v) for n, v in methods.items()} for at, methods in found.items()},
    }


NAMES = {
    "supervised": "labels alone",
    "kd_1": "KD, T 1",
    "kd_4": "KD, T 4",
    "lelp_8": "LELP, S 8, beta 0.5",
    "lelp_3": "LELP, S 3, beta 1",
    "random_subclasses": "random soft sub-classes, S 8, beta 0.5",
    "random_subclasses_t4": "random soft sub-classes, S 8, beta 0.5, T 4",
    "oracle": "oracle: KD of 16 classes, folded",
    "oracle_labels": "labels of 16 classes, folded",
}


def page(facts: Mapping[str, Any]) -> str:
    lines = ["# LELP", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += [
        "| method | validation %, 2 classes | test % [95 %], 2 classes | test %, 16 classes |",
        "|---|--:|--:|--:|",
    ]
    two, sixteen = facts["test_accuracy"]["two"], facts["test_accuracy"]["sixteen"]
    for name, title in NAMES.items():
        chosen = facts["validation_accuracy"]["two"].get(name)
        other = paired.percent(sixteen[name]) if name in sixteen else "–"
        told = "–" if chosen is None else f"{100 * chosen:.1f}"
        lines.append(f"| {title} | {told} | {paired.percent(two[name])} | {other} |")
    teachers = ", ".join(f"{name.removeprefix('teacher-')} {100 * v:.1f}" for name, v in facts["teachers"].items())
    seeds = len(two["supervised"]["seeds"])
    lines += ["", f"Teachers, test %: {teachers}. {facts['test_pages']} test pages, {seeds} seeds.", ""]
    lines += [*MARGIN_SET_LATER.strip().splitlines(), ""]
    lines += [*paired.claim_lines(facts["claims"]), "", *paired.tried_lines(facts["claims"])]
    return "\n".join([*lines, ""])


INTRODUCTION = """
Made by `python benchmarks/systems/lelp.py` from [the result file](../../benchmarks/results/systems/lelp.json), of the
study [studies/systems/lelp.yaml](../../studies/systems/lelp.yaml) of the method [lelp](../methods/lelp.md).

The paper (arXiv:2409.20449) says that with few classes soft labels tell a student little, and that sub-classes made of
the teacher's embeddings tell it more; it claims nothing for ten classes and more. The setting here: generated pages of
16 classes at 32 x 32 pixels, folded to two by the parity of the class's number so that like ones fall apart; a teacher
that learnt from 4,800 pages, students that see 800 of them without labels. Intervals are over seeds and pages, paired.
The teachers and the rotation are the same for all seeds. Pilots with the seeds 0 and 1, whose test scores were seen,
came first: at 64 pixels labels alone left little to gain, so the pages became smaller; the methods' settings, those of
the specification, were not changed after them. With 16 classes the claim is that nothing is gained and nothing lost: it
holds where the whole interval lies within two points of 0. Of the text half of the paper's claims
SST-2 is tried on [a page of its own](lelp_text.md); a second try on pages, in another setting, is on
[another](lelp_more.md), and four classes are on [a third](lelp_four.md).
"""


if __name__ == "__main__":
    paired.main(__doc__, "lelp", facts_of, page)
