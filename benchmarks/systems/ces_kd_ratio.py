"""CES-KD (arXiv:2209.07606): does its gain grow with the ratio of sizes? The second try; docs/systems/ces_kd_ratio.md.

    distildoc study run studies/systems/ces_kd_ratio.yaml -o runs/systems/ces_kd_ratio
    python benchmarks/systems/ces_kd_ratio.py runs/systems/ces_kd_ratio              (10 seconds)

Of the two temperatures of a method that with the higher mean accuracy on the validation pages is compared, chosen for
every student by itself. Differences are paired by seed and page (paired.py).
"""

from collections.abc import Mapping
from typing import Any

import paired
from ces_kd_order import FIRST_VIEW
from verdicts import verdict

from distildoc.study.results import Results

STUDENTS = ("nano", "tenth")
ARMS = {"supervised": "labels alone", "kd": "KD from the large expert, T 4", "kd_2": "KD, T 2"}
ARMS |= {"ces": "CES-KD, T 4", "ces_2": "CES-KD, T 2"}
TRIED = (
    "first ces_kd_more.yaml (ratios of 170 and 50, temperature 4, seeds 0 to 4); here ratios further apart, other "
    "seeds, temperatures 2 and 4 chosen on validation pages"
)


def facts_of(results: Results) -> dict[str, Any]:
    arms = {student: paired.arms_of(results, student=student) for student in STUDENTS}
    like = paired.tables_of(arms["nano"]["supervised"])[0]
    found = {
        student: {name: paired.accuracy(paired.tables_of(own), like) for name, own in cells.items()}
        for student, cells in arms.items()
    }
    chosen = {
        student: {name: paired.best_of(cells, (name, f"{name}_2")) for name in ("ces", "kd")}
        for student, cells in arms.items()
    }
    gains = {student: found[student][best["ces"]] - found[student][best["kd"]] for student, best in chosen.items()}
    grows = paired.difference(gains["nano"], gains["tenth"])
    each = {f"gain of {name}": paired.tested(own) for name, own in gains.items()}
    large = next(entry for entry in results.before if entry.name == "large")
    return {
        "study": "studies/systems/ces_kd_ratio.yaml",
        "test_pages": len(like),
        "claims": [
            {
                "claim": "its gain over the large teacher grows with the ratio of their sizes (second try)",
                "ours": {"gain of nano - gain of tenth": grows, **each},
                "holds": verdict(grows),
                "tried": TRIED,
            }
        ],
        "chosen": chosen,
        "large": paired.parameters(large),
        **paired.by_student(arms, found),
        "places": paired.gains_of(results),
    }


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/ces_kd_ratio.md, all of it from the result file."""
    sizes = ", ".join(
        f"{name} {weights:,} (ratio {facts['large'] / weights:.0f})" for name, weights in facts["students"].items()
    )
    lines = ["# CES-KD: the ratio of sizes again", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += [f"Weights of the large expert: {facts['large']:,}; of the students: {sizes}.", ""]
    lines += ["| arm | " + " | ".join(f"validation %, {name} | test % [95 %], {name}" for name in STUDENTS) + " |"]
    lines += ["|---|" + "--:|--:|" * len(STUDENTS)]
    for arm, title in ARMS.items():
        cells = [
            f"{100 * facts['validation_accuracy'][name][arm]:.1f} | {paired.percent(facts['test_accuracy'][name][arm])}"
            for name in STUDENTS
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines += ["", f"{facts['test_pages']:,} test pages, {len(facts['seeds'])} seeds.", ""]
    lines += [*paired.claim_lines(facts["claims"]), "", f"Tried: {TRIED}.", "", *FIRST_VIEW.strip().splitlines()]
    return "\n".join([*lines, ""])


INTRODUCTION = """
Made by `python benchmarks/systems/ces_kd_ratio.py` from
[the result file](../../benchmarks/results/systems/ces_kd_ratio.json); the study is
[studies/systems/ces_kd_ratio.yaml](../../studies/systems/ces_kd_ratio.yaml). The other claims and the method are on
[the page of CES-KD](ces_kd.md) and on [that of its second try](ces_kd_more.md), where the gain did not grow from a
ratio of 50 to one of 170. Pages, experts and training are those of the second try.
"""


if __name__ == "__main__":
    paired.main(__doc__, "ces_kd_ratio", facts_of, page)
