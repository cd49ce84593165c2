"""'KD Beyond Model Compression' (arXiv:2007.01922) by severity, the second try; docs/systems/beyond_severity.md.

    distildoc study run studies/systems/beyond_severity.yaml -o runs/systems/beyond_severity
    python benchmarks/systems/beyond_severity.py runs/systems/beyond_severity              (20 seconds)

Differences are paired by seed and page (paired.py). What holds with the teacher of the student's own pages is judged
apart from what holds with one that knows the true class of every page.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import paired
from verdicts import verdict

from distildoc.study.results import Entry, Results

METHODS = ("kd", "fitnet", "rkd")
TEACHERS = {"own": "own-teacher", "full": "full-teacher"}
WORDS = {"own": "a teacher of the student's own pages", "full": "a teacher of all pages and true classes"}
SEVERE = {
    "noise20": "20 % wrong labels",
    "noise40": "40 % wrong labels",
    "noise60": "60 % wrong labels",
    "rare10": "classes 1 : 10",
    "rare100": "classes 1 : 100",
}
AGAIN = dict.fromkeys(("noise40", "noise60"), "second try")  # severities that beyond.yaml has as well
STUDENTS = ("usual", "third")
GROUPS = {"kd": ("kd",), "mean of the three": METHODS}  # whose mean gain is judged
TRIED = (
    "the first try (beyond.yaml: real pages of five classes, nine methods, two severities of wrong labels and one of "
    "rare classes); here generated pages of sixteen classes, KD, FitNet and RKD at weights chosen in beyond_rare.yaml"
)
Place = tuple[str, str, str]  # student, pages, teacher
Found = Mapping[Place, Mapping[str, np.ndarray]]


def arms_of(results: Results) -> dict[Place, dict[str, list[Entry]]]:
    places = [("usual", pages) for pages in ("clean", *SEVERE)] + [("third", "clean")]
    return {
        (student, pages, teacher): paired.arms_of(results, student=student, pages=pages, teacher=choice)
        for student, pages in places
        for teacher, choice in TEACHERS.items()
    }


def gain(found: Found, place: Place, methods: tuple[str, ...]) -> np.ndarray:
    """Of some methods, their mean over labels alone on the same pages, [S, 1 + R]."""
    own = found[place]
    return np.asarray(np.mean([own[name] for name in methods], 0) - own["supervised"])


def claims(found: Found) -> list[dict[str, Any]]:
    told = []
    for teacher, words in WORDS.items():
        for pages, severe in SEVERE.items():
            ours = {}
            for name, methods in GROUPS.items():
                there = gain(found, ("usual", pages, teacher), methods)
                ours[f"{name}, more"] = paired.difference(there, gain(found, ("usual", "clean", teacher), methods))
                ours[f"{name}, there"] = paired.tested(there)
            text = f"Distillation from {words} gains over labels alone with {severe}, and more than on clean pages"
            told.append({"claim": f"{text} ({AGAIN.get(pages, 'another severity')})", "ours": ours})
        ours = {
            f"{student}, {name}": paired.tested(gain(found, (student, "clean", teacher), methods))
            for student in STUDENTS
            for name, methods in GROUPS.items()
        }
        text = f"Distillation from {words} gains over labels alone on clean pages across the gap of capacity"
        told.append({"claim": f"{text} (two students)", "ours": ours})
    return [{**one, "holds": verdict(*one["ours"].values()), "tried": TRIED} for one in told]


def facts_of(results: Results) -> dict[str, Any]:
    arms = arms_of(results)
    like = paired.tables_of(arms["usual", "clean", "own"]["supervised"])[0]
    found = {
        place: {name: paired.accuracy(paired.tables_of(cells), like) for name, cells in own.items()}
        for place, own in arms.items()
    }
    reports = {entry.name: entry.report() for entry in results.before}
    return {
        "study": "studies/systems/beyond_severity.yaml",
        "test_pages": len(like),
        "claims": claims(found),
        "teachers": {name: round(one.scores["accuracy"].value, 4) for name, one in reports.items() if one is not None},
        "students": {
            student: paired.parameters(arms[student, "clean", "own"]["supervised"][0]) for student in STUDENTS
        },
        "teacher": paired.parameters(results.before[0]),
        "compared": [
            {
                **dict(zip(("student", "pages", "teacher"), place, strict=True)),
                "accuracy": {name: paired.estimate(values) for name, values in own.items()},
                "gains": {name: paired.difference(own[name], own["supervised"]) for name in METHODS},
            }
            for place, own in found.items()
        ],
        "places": paired.gains_of(results),
    }


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/beyond_severity.md, all of it from the result file."""
    teachers = ", ".join(f"{name} {100 * value:.1f}" for name, value in facts["teachers"].items())
    students = ", ".join(f"`{name}` {weights:,}" for name, weights in facts["students"].items())
    lines = ["# Beyond model compression by severity, the second try", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += [
        f"Accuracy of the teachers ({facts['teacher']:,} weights each): {teachers}. Weights of students: {students}. "
        f"{facts['test_pages']:,} test pages, {len(facts['seeds'])} seeds.",
        "",
        f"| student | pages | teacher | labels alone % | {' | '.join(f'{name}, points' for name in METHODS)} |",
        f"|---|---|---|--:|{'--:|' * len(METHODS)}",
    ]
    for place in facts["compared"]:
        gains = " | ".join(paired.percent(place["gains"][name]) for name in METHODS)
        pages = SEVERE.get(place["pages"], "clean")
        alone = paired.percent(place["accuracy"]["supervised"])
        lines.append(f"| {place['student']} | {pages} | {place['teacher']} | {alone} | {gains} |")
    return "\n".join([*lines, "", *paired.claim_lines(facts["claims"]), "", f"Tried: {TRIED}.", ""])


INTRODUCTION = """
Made by `python benchmarks/systems/beyond_severity.py` from
[the result file](../../benchmarks/results/systems/beyond_severity.json); the study is
[studies/systems/beyond_severity.yaml](../../studies/systems/beyond_severity.yaml). The paper's conclusions, the axes
and the first try are on [the page of beyond model compression](beyond.md), rare classes with calibration, damage,
attacks and transfer on [another](beyond_rare.md).

In the first try what distillation gained with wrong labels came from a teacher that knew the true classes. Here the two
teachers are judged apart, there are three severities of wrong labels, two of rare classes beside the 1 : 50 of the
other page, and on clean pages a second, smaller student. Wrong labels and rare classes are the same ones for all seeds;
only training pages have them.
"""


if __name__ == "__main__":
    paired.main(__doc__, "beyond_severity", facts_of, page)
