"""'KD Beyond Model Compression' (arXiv:2007.01922), the second try of rare classes, and docs/systems/beyond_rare.md.

    DISTILDOC_DATA=... distildoc study run studies/systems/beyond_rare.yaml -o runs/systems/beyond_rare
    DISTILDOC_DATA=... python benchmarks/systems/beyond_rare.py runs/systems/beyond_rare              (4 minutes)

Of the two weights of a method that with the higher mean accuracy on the validation pages is compared, at every place.
Differences are paired by seed and page (paired.py). The students of clean pages are also asked for calibration, damage
and transfer, as in the first try (beyond_axes.py), where transfer is to real pages: all classes have been seen.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paired
from beyond_axes import Drawn, Exams, accuracy_on, beyond_accuracy, exams_of, on_test_pages
from beyond_claims import BASE, Draws, gains
from verdicts import verdict

from distildoc.data.pageset import PageSet, hold_out, per_class
from distildoc.data.readers.folder import read
from distildoc.models.load import load_model
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import listed_pages
from distildoc.study.results import Entry, Results

STUDY = "studies/systems/beyond_rare.yaml"
METHODS = ("kd", "fitnet", "rkd")
TEACHERS = {"own": "own-teacher", "full": "full-teacher"}
CLEAN, RARE = "clean", "rare-classes"
LEARNT, CHOSEN_ON = 40, 20  # real pages of every class, from which the probe learns and chooses its strength
TRIED = (
    "the first try (beyond.yaml: real pages of five classes, nine methods, weights chosen on clean pages); here "
    "generated pages of sixteen classes, KD, FitNet and RKD at two weights, chosen on validation pages at every place"
)
AXES = {  # score -> claim, as in beyond_claims.py
    "ece": "Beyond the paper: distilled students are better calibrated than those of labels alone",
    "damaged": "Beyond the paper: distilled students name more damaged pages right",
    "attacked": "Beyond the paper: distilled students withstand more attacks",
    "transfer": "Beyond the paper: features of distilled students tell unseen (here: real) pages better apart",
}


def claims(draws: Draws) -> list[dict[str, Any]]:
    more = {
        f"{name}, {teacher} teacher": paired.difference(
            gains(draws, RARE, teacher, methods), gains(draws, CLEAN, teacher, methods)
        )
        for name, methods in (("kd", ["kd"]), ("mean of the three", list(METHODS)))
        for teacher in TEACHERS
    }
    found = [("Distillation gains more over labels alone with classes 1 : 50 than on clean pages", more)]
    for score, claim in AXES.items():
        own = {
            f"mean of the three, {teacher} teacher": paired.tested(gains(draws, CLEAN, teacher, METHODS, score=score))
            for teacher in TEACHERS
        }
        found.append((claim, own))
    return [
        {"claim": f"{claim} (second try)", "ours": ours, "holds": verdict(*ours.values()), "tried": TRIED}
        for claim, ours in found
    ]


def real_pages() -> list[PageSet]:
    """Real pages of five classes: to learn a probe from, to choose on, to test it."""
    folder = Path(os.environ["DISTILDOC_DATA"]) / "rvl5"
    rest, held = hold_out(read(path=folder / "train"), fraction=0.2, seed=0)
    return [per_class(rest, LEARNT, seed=0), per_class(held, CHOSEN_ON, seed=0), read(path=folder / "val")]


def chosen_arms(results: Results) -> dict[tuple[str, str, str], tuple[str, list[Entry]]]:
    """(pages, teacher, method) -> the arm that the validation pages choose there, and its cells."""
    found = {}
    for pages in (CLEAN, RARE):
        for teacher, choice in TEACHERS.items():
            arms = paired.arms_of(results, pages=pages, teacher=choice)
            for method in (BASE, *METHODS):
                best = paired.best_of(arms, [name for name in arms if name.partition("_")[0] == method])
                found[pages, teacher, method] = best, arms[best]
    return found


def measured(entry: Entry, exams: Exams, tail: Sequence[int]) -> Drawn:
    """All scores of a student; those of the other axes where its pages were clean."""
    model = load_model(RunFolder(entry.folder).model)
    found, drawn = on_test_pages(model, exams)
    if entry.choice("pages") == CLEAN:
        return drawn | beyond_accuracy(model, exams)
    return drawn | {"rarest_four": accuracy_on(found, tail)}


def draws_of(arms: Mapping[tuple[str, str, str], tuple[str, list[Entry]]]) -> tuple[Draws, list[str]]:
    """Of every place and score the values of all seeds; the four rarest classes."""
    rare = RunFolder(arms[RARE, "own", BASE][1][0].folder)
    counts = listed_pages(rare.config().data)[0].counts()
    tail = sorted(counts, key=lambda label: counts[label])[:4]
    labels = load_model(rare.model).labels
    exams = exams_of(rare.config(), labels, real_pages())
    by_key: dict[str, Drawn] = {}
    found = {}
    for place, (_, cells) in arms.items():
        for entry in cells:
            if entry.key not in by_key:
                by_key[entry.key] = measured(entry, exams, [labels.index(name) for name in tail])
                print(f"\r{len(by_key)} students", end="", file=sys.stderr, flush=True)
        own = [by_key[entry.key] for entry in cells]
        found[place] = {score: np.stack([one[score] for one in own]) for score in own[0]}
    print(file=sys.stderr)
    return found, tail


def facts_of(results: Results) -> dict[str, Any]:
    arms = chosen_arms(results)
    draws, tail = draws_of(arms)
    teachers = {entry.name: entry.report() for entry in results.before}
    return {
        "study": STUDY,
        "test_pages": len(paired.tables_of(arms[CLEAN, "own", BASE][1])[0]),
        "claims": claims(draws),
        "rarest": tail,
        "teachers": {name: round(r.scores["accuracy"].value, 4) for name, r in teachers.items() if r is not None},
        "compared": [
            {
                **dict(zip(("pages", "teacher", "method"), place, strict=True)),
                "chosen": name,
                "validation_accuracy": round(paired.validated(cells), 4),
                "scores": {score: paired.estimate(values) for score, values in draws[place].items()},
                "gain": paired.difference(draws[place]["accuracy"], draws[place[0], "own", BASE]["accuracy"])
                if place[2] != BASE
                else None,
            }
            for place, (name, cells) in arms.items()
        ],
        "places": paired.gains_of(results),
    }


def arm_lines(facts: Mapping[str, Any], pages: str, scores: Mapping[str, str]) -> list[str]:
    """A table of the chosen arms on some pages; labels alone once."""
    lines = [f"| teacher | arm | validation % | gain, points [95 %] | {' | '.join(scores.values())} |"]
    lines += ["|---|---|--:|--:|" + "--:|" * len(scores)]
    for arm in facts["compared"]:
        if arm["pages"] != pages or (arm["method"] == BASE and arm["teacher"] != "own"):
            continue
        gain = "" if arm["gain"] is None else paired.percent(arm["gain"])
        cells = [paired.percent(arm["scores"][score]) for score in scores]
        teacher = "" if arm["method"] == BASE else arm["teacher"]
        validated = f"{100 * arm['validation_accuracy']:.1f}"
        lines.append("| " + " | ".join([teacher, arm["chosen"], validated, gain, *cells]) + " |")
    return lines


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/beyond_rare.md, all of it from the result file."""
    teachers = ", ".join(
        f"{name.removeprefix('teacher-')} {100 * value:.1f}" for name, value in facts["teachers"].items()
    )
    lines = ["# Beyond model compression: rare classes, the second try", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += [
        f"Accuracy of the teachers: {teachers}. {facts['test_pages']:,} test pages, {len(facts['seeds'])} seeds; all "
        f"runs trained for {facts['training_minutes']:.0f} minutes.",
        "",
        *paired.claim_lines(facts["claims"]),
        "",
        "## Classes 1 : 50",
        "",
        *arm_lines(facts, RARE, {"accuracy": "test %", "rarest_four": "rarest four %"}),
        "",
        f"The rarest four classes are {', '.join(facts['rarest'])}.",
        "",
        "## Clean pages",
        "",
        *arm_lines(
            facts,
            CLEAN,
            {
                "accuracy": "test %",
                "ece": "ECE %",
                "damaged": "damaged %",
                "attacked": "attacked %",
                "transfer": "real %",
            },
        ),
        "",
        f"Tried: {TRIED}.",
    ]
    return "\n".join([*lines, ""])


INTRODUCTION = """
Made by `python benchmarks/systems/beyond_rare.py` from
[the result file](../../benchmarks/results/systems/beyond_rare.json); the study is
[studies/systems/beyond_rare.yaml](../../studies/systems/beyond_rare.yaml). The paper's conclusions, the axes and the
first try are on [the page of beyond model compression](beyond.md), clean pages with all nine methods on [that of their
second try](beyond_more.md).

In the first try, on real pages of five classes, distillation gained less with classes 1 : 50 than on clean pages where
the teacher had learnt from the same pages, and no more where it knew all pages; weights had been chosen on clean pages.
Here are the pages and sixteen classes of the second try, 40 pages a class or as many in all with classes 1 : 50, three
methods of three families, and a weight chosen at every place on validation pages, which are balanced as the test pages
are. `own` is a teacher of the student's pages, `full` one of all pages. Calibration is before any temperature, damage
and attacks are those of the first try; transfer is a linear probe of real pages of five classes. Draws of pages make a
calibration error larger, since bins of fewer different pages stray further, so that its intervals lie high and may
leave the value itself out.
"""


if __name__ == "__main__":
    paired.main(__doc__, "beyond_rare", facts_of, page)
