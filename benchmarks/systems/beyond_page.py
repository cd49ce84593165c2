"""docs/systems/beyond.md and its picture, all of it from the result file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from beyond_claims import BASE, FAMILIES, IMPERFECT
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from verdicts import WORDS

from distildoc.evaluate.plots import write_figure

LEVEL = 0.05  # of a gain that is called significant, after Holm's correction on its axis
SATURATED = 15.0  # points at which the colours end
Column = tuple[str, str, str]  # head, pages, score
COLUMNS: tuple[Column, ...] = (
    ("clean", "clean", "accuracy"),
    ("calibration", "clean", "ece"),
    ("damaged", "clean", "damaged"),
    ("attacked", "clean", "attacked"),
    ("transfer", "clean", "transfer"),
    ("noise 40 %", "noise40", "accuracy"),
    ("noise 60 %", "noise60", "accuracy"),
    ("classes 1 : 50", "imbalance50", "accuracy"),
)


def points(one: Mapping[str, float]) -> str:
    return f"{100 * one['value']:+.1f} [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]"


def arms(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(teacher, method) of the rows: the control, the nine by family, then those with the clean teacher."""
    known = {(row["teacher"], row["method"]) for row in facts["rows"]}
    nine = [name for names in FAMILIES.values() for name in names]
    taught = [(teacher, name) for teacher in ("own", "stopped", "clean") for name in nine]
    wanted = [("own", "smoothing"), *taught]
    return [arm for arm in wanted if arm in known]


def gain(facts: Mapping[str, Any], arm: tuple[str, str], column: Column) -> Mapping[str, float] | None:
    """Of an arm on an axis; None where it was not run."""
    _, pages, score = column
    for row in facts["rows"]:
        if (row["teacher"], row["method"]) == arm and row["pages"] == pages:
            found: Mapping[str, float] = row["gains"][score]
            return found
    return None


def named(arm: tuple[str, str]) -> str:
    return arm[1] + ("" if arm[0] == "own" else f", {arm[0]} teacher")


def draw(facts: Mapping[str, Any], path: Path) -> None:
    """A heat map: blue is better than labels alone, red worse; a star where it is beyond doubt."""
    rows = arms(facts)
    found = [[gain(facts, arm, column) for column in COLUMNS] for arm in rows]
    values = np.array([[np.nan if one is None else 100 * one["value"] for one in line] for line in found])
    figure = Figure(figsize=(9.6, 1.9 + 0.33 * len(rows)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(values, cmap="RdBu", norm=CenteredNorm(halfrange=SATURATED), aspect="auto")
    axes.set_facecolor("#eeeeee")
    for (row, column), value in np.ndenumerate(values):
        one = found[row][column]
        if one is None:
            continue
        sure = one["p_holm"] < LEVEL
        axes.text(
            column,
            row,
            f"{value:+.1f}{' *' if sure else ''}",
            ha="center",
            va="center",
            color="white" if abs(value) > 0.6 * SATURATED else "#222222",
            fontweight="bold" if sure else "normal",
            fontsize="small",
        )
    axes.set_xticks(range(len(COLUMNS)), [head.replace(" ", "\n", 1) for head, _, _ in COLUMNS])
    axes.set_yticks(range(len(rows)), [named(arm) for arm in rows])
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    split = sum(teacher == "own" for teacher, _ in rows) - 0.5
    axes.axhline(split, color="#222222", linewidth=1)
    figure.colorbar(image, ax=axes, label="points gained over labels alone", extend="both", shrink=0.8)
    figure.suptitle("* beyond doubt: p < 0.05 after Holm's correction on the axis; grey: not run", fontsize="small")
    write_figure(figure, path)


def axes_table(facts: Mapping[str, Any]) -> list[str]:
    """Labels alone as they score, then the gains of every method."""
    base = {row["pages"]: row["scores"] for row in facts["rows"] if row["method"] == BASE}
    lines = ["| method | " + " | ".join(head for head, _, _ in COLUMNS) + " |", "|---|" + "--:|" * len(COLUMNS)]
    scores = [f"{100 * base[pages][score]['value']:.1f}" for _, pages, score in COLUMNS]
    lines.append("| labels alone | " + " | ".join(scores) + " |")
    for arm in arms(facts):
        found = [gain(facts, arm, column) for column in COLUMNS]
        lines.append("| " + " | ".join([named(arm), *map(told_gain, found)]) + " |")
    return lines


def told_gain(one: Mapping[str, float] | None) -> str:
    if one is None:
        return ""
    return f"**{points(one)}**" if one["p_holm"] < LEVEL else points(one)


def ranking(facts: Mapping[str, Any], pages: str) -> list[str]:
    """Methods on some pages by their accuracy, the best first."""
    chosen = [row for row in facts["rows"] if row["pages"] == pages]
    chosen.sort(key=lambda row: -row["scores"]["accuracy"]["value"])
    told = [
        f"{named((row['teacher'], row['method'])) if row['method'] != BASE else 'labels alone'} "
        f"{100 * row['scores']['accuracy']['value']:.1f}"
        + (f" (rarest two {100 * row['scores']['rarest_two']['value']:.1f})" if "rarest_two" in row["scores"] else "")
        for row in chosen
    ]
    return [", ".join(told) + "."]


def told(claim: Mapping[str, Any]) -> list[str]:
    lines = [f"**{claim['claim']}**: {WORDS[claim['holds']]}.", ""]
    for name, one in claim["ours"].items():
        if "more" in one:
            there, clean, more = (points(one[key]) for key in ("there", "clean", "more"))
            lines.append(f"- {name}: {there} there, {clean} clean, {more} more")
        elif "value" in one:
            lines.append(f"- {name}: {points(one)}")
        else:
            lines.append(f"- {name}: " + "; ".join(f"{key} {points(value)}" for key, value in one.items()))
    return [*lines, "", f"Tried: {claim['tried']}.", ""]


def weights(facts: Mapping[str, Any]) -> list[str]:
    """Accuracy on validation pages by weight."""
    chosen = facts["weights"]["chosen"]
    lines = ["| method | accuracy on validation pages by weight | kept |", "|---|---|--:|"]
    for name, by in facts["weights"]["validation"].items():
        if name in chosen:
            told = ", ".join(f"{weight}: {100 * value:.1f}" for weight, value in by.items())
            lines.append(f"| {name} | {told} | {chosen[name]} |")
    return lines


def page(facts: Mapping[str, Any]) -> str:
    lines = ["# Distillation beyond model compression", "", *INTRODUCTION.strip().splitlines(), ""]
    teachers = ", ".join(
        f"{name.removeprefix('teacher-')} {100 * value:.1f}" for name, value in facts["teachers"].items()
    )
    lines += [f"{facts['runs']} students, seeds {facts['seeds']}. Accuracy of the teachers: {teachers}."]
    lines += ["", "## Methods by axes", "", *axes_words(facts), "", "![gains by method and axis](beyond.png)", ""]
    lines += [*axes_table(facts), "", "## The conclusions here", ""]
    for claim in facts["claims"]:
        lines += told(claim)
    lines += ["## Rankings", "", "Accuracy in percent, the best first; neighbours are seldom apart beyond doubt.", ""]
    for pages in ("clean", *IMPERFECT):
        lines += [f"**{IMPERFECT.get(pages, 'clean pages').capitalize()}**: {ranking(facts, pages)[0]}", ""]
    lines += [f"The rarest two classes are {' and '.join(facts['rarest'])}.", "", "## Weights", ""]
    lines += [*WEIGHTS_WORDS.strip().splitlines(), "", *weights(facts)]
    return "\n".join(lines) + "\n"


def axes_words(facts: Mapping[str, Any]) -> Sequence[str]:
    pages, probe = facts["pages"], facts["pages"]["probe"]
    return [
        "Points gained over labels alone on the same pages (labels alone: their score), with 95 % intervals over test",
        "pages and seeds; in bold where p < 0.05 after Holm's correction over the methods on that axis.",
        "",
        f"- clean: accuracy on {pages['test']} test pages",
        "- calibration: by how much the expected calibration error is lower, before any temperature is fitted",
        f"- damaged: accuracy on {pages['damaged']} test pages, mean of eight kinds of damage at severity "
        f"{facts['severity']}",
        f"- attacked: accuracy under {facts['attack']['name'].upper()} with epsilon {facts['attack']['epsilon']}",
        f"- transfer: accuracy of a linear probe on {len(facts['classes_of_the_probe'])} classes of generated pages",
        f"  that no student has seen, learnt from {probe['train']} pages, its strength chosen on {probe['val']},",
        f"  tested on {probe['test']}",
        "- noise, classes: accuracy on the same test pages of students that learnt from imperfect pages",
    ]


WEIGHTS_WORDS = """
Chosen on clean pages with the own teacher, by the mean over seeds 7, 8, 9, which the study does not use; kept for all
pages and teachers. The number is the weight beside the labels: for KD the share of the soft labels, for BSS a factor of
both its usual weights.
"""
INTRODUCTION = """
Sarfraz, Arani, Zonooz 2020, arXiv:2007.01922, compare nine methods and hold that distillation is a general way to
train and not only to compress: it generalises better, and stands label noise and class imbalance better than labels
alone. Made by `python benchmarks/systems/beyond.py` from [the result
file](../../benchmarks/results/systems/beyond.json); the studies are [beyond](../../studies/systems/beyond.yaml),
[beyond_stopped](../../studies/systems/beyond_stopped.yaml) and, for the weights,
[beyond_weights](../../studies/systems/beyond_weights.yaml): real pages of five classes at 32 x 32 pixels, 60 a class, a
student of three stages. A teacher is `own` (it learnt from the student's pages, wrong labels and rare classes
included), `stopped` (the same, where it names most validation pages right, whose labels are true; with KD at the usual
weight of 0.9) or `clean` (all pages and their true classes: it knows what the labels of the student hide).

The list of the nine and the settings of the paper could not be read in full, and none of its numbers, so only the
direction of its conclusions is tested. Calibration, damage, attacks and transfer are our addition. Wrong labels and
rare classes are the same ones for all seeds. One student, one shape of teacher. Attacks follow the gradients of the
student itself alone, so a gain there may be one of hidden gradients. Intervals of the conclusions are not
corrected for their number.

Three methods are not what their papers have. FitNet is a term beside the labels at a constant weight of 10, without
the second stage of the paper, which is KD. FSP is one as well, also at a constant weight of 10, where the paper learns
it alone first and then the labels alone. BSS moves at most 8 pages of a batch in 5 steps, where its authors' code has
64 and 10. The weights taken lie at the edges of the grids that were tried, so better ones may lie beyond.

What was said of clean pages was tried again [elsewhere](beyond_more.md), as were [rare classes and the axes of
ours](beyond_rare.md), and [wrong labels, all severities and a smaller student](beyond_severity.md). None of them goes
past these edges, and none has RKD at 0.01, which was chosen here. Peers, families of methods and label smoothing were
tried again on clean pages alone: what is said of them below with wrong labels and rare classes, on which their verdicts
rest as well, was tried once.
"""
