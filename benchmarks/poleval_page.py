"""docs/layout.md and its plot: layout students on real pages, from the result files of poleval.py alone.

python benchmarks/poleval_page.py
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from measuring import RESULTS, ROOT
from poleval_families import FAMILIES, PUBLISHED_TEACHERS

from distildoc.evaluate.plots import BLUE, GREY, plain, write_figure

PAGE, PLOT = ROOT / "docs" / "layout.md", ROOT / "docs" / "layout.png"
GAINS = {"gain": "mAP", "gain_map_post": "mAP of what is shown", "gain_f1": "F1 of what is shown"}
COLUMNS = {
    "map": "mAP",
    "ap75": "AP75",
    "map_post": "mAP shown",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
}


class Section(NamedTuple):
    """Heading and text over a result, what follows the name of its arms in the plot, whose arms they are, and whether
    they had a teacher of their own.
    """

    title: str
    text: str
    suffix: str
    family: str
    teacher: bool = False


def points(one: Mapping[str, float]) -> str:
    return f"{100 * one['value']:+.1f} [{100 * one['low']:+.1f}, {100 * one['high']:+.1f}]"


def table(facts: Mapping[str, Any]) -> Iterator[str]:
    """A line an arm, the best mAP first."""
    gained = " | ".join(f"{name}, points [95 %]" for name in GAINS.values())
    yield f"| arm | weights | {' | '.join(COLUMNS.values())} | F1 by seed | {gained} |"
    yield f"|---|{'--:|' * (len(COLUMNS) + len(GAINS) + 2)}"
    for name, arm in sorted(facts["arms"].items(), key=lambda one: -one[1]["mean"]["map"]):
        scores = " | ".join(f"{100 * arm['mean'][score]:.1f}" for score in COLUMNS)
        seeds = ", ".join(f"{100 * value:.0f}" for value in arm["f1_by_seed"])
        gains = " | ".join(points(arm[gain]) if gain in arm else "" for gain in GAINS)
        yield f"| {name} | {arm['parameters']:,} | {scores} | {seeds} | {gains} |"


def missing(family: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """The arms of a family that no result has."""
    seen = {arm for name, facts in found.items() if SECTIONS[name].family == family for arm in facts["arms"]}
    return ", ".join(arm for arm in FAMILIES[family].arms if arm not in seen) or "none"


def fused_line() -> str:
    """How good the three teachers are alone and together."""
    facts = json.loads((RESULTS / "poleval_fused_teachers.json").read_text(encoding="utf-8"))
    *alone, together = (100 * one["map"]["value"] for one in facts["test"].values())
    shown = {name: 100 * one["value"] for name, one in facts["test_shown"].items()}
    return (
        f"Their mAP on the test pages is {', '.join(f'{one:.1f}' for one in alone)}, and together {together:.1f}; of "
        f"the true regions {shown['recall']:.0f} % are among those of score {facts['threshold']} or more."
    )


def published(facts: Mapping[str, Any]) -> dict[str, str]:
    """mAP of the teachers with a published backbone, by name."""
    others = facts.get("other_teachers", {})
    return {
        name: f"{100 * others[name]['scores']['map']['value']:.1f}" for name in PUBLISHED_TEACHERS if name in others
    }


def teacher_line(facts: Mapping[str, Any]) -> str:
    teacher, scores = facts["teacher"], facts["teacher"]["scores"]
    starts = ", ".join(f"`{name}` {100 * one['validation_map']:.0f}" for name, one in facts["pretraining"].items())
    classes = ", ".join(f"{name} {100 * value:.0f}" for name, value in teacher["classes"].items())
    return (
        f"Teacher: {teacher['parameters']:,} weights, mAP {100 * scores['map']['value']:.1f} "
        f"[{100 * scores['map']['low']:.1f}, {100 * scores['map']['high']:.1f}], F1 {100 * scores['f1']['value']:.1f}; "
        f"AP by class: {classes}. mAP of the starts on corpus pages set aside: {starts}."
    )


def section(name: str, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    about, facts = SECTIONS[name], found[name]
    base = facts["arms"]["supervised"]
    seeds = "seed" if len(facts["seeds"]) == 1 else "seeds"
    return [
        f"## {about.title}",
        "",
        *about.text.strip()
        .format(missing=missing(about.family, found), fused=fused_line(), **published(facts))
        .splitlines(),
        "",
        *([teacher_line(facts), ""] if about.teacher else []),
        f"{len(facts['seeds'])} {seeds}; {base['steps']:,} steps of the supervised student; start `{base['start']}`.",
        "",
        *table(facts),
        "",
    ]


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["# Layout students on real pages", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += ["![Gain of every arm over labels alone](layout.png)", ""]
    for name in found:
        lines += section(name, found)
    return "\n".join(lines)


def draw(found: Mapping[str, Mapping[str, Any]]) -> Figure:
    """A dot and its interval an arm, in points of mAP and of F1."""
    arms = [
        (f"{arm}{SECTIONS[name].suffix}", facts["arms"][arm])
        for name, facts in found.items()
        for arm in facts["arms"]
        if "gain" in facts["arms"][arm]
    ]
    figure = Figure(figsize=(8.4, 1.4 + 0.3 * len(arms)), layout="constrained")
    for axes, (gain, title) in zip(
        figure.subplots(1, 2, sharey=True), (("gain", "mAP"), ("gain_f1", GAINS["gain_f1"])), strict=True
    ):
        axes.axvline(0, color=GREY, linewidth=1, linestyle="--")
        for row, (_, arm) in enumerate(reversed(arms)):
            one = {key: 100 * value for key, value in arm[gain].items()}
            axes.plot([one["low"], one["high"]], [row, row], color=BLUE, linewidth=1.6)
            axes.plot(one["value"], row, "o", color=BLUE, markersize=5)
        axes.set_yticks(range(len(arms)), [name for name, _ in reversed(arms)])
        axes.set_title(title, loc="left", fontsize="medium")
        plain(axes)
    figure.supxlabel("points over labels alone, 95 % interval over pages", fontsize="medium")
    return figure


INTRODUCTION = """
Made by `python benchmarks/poleval_page.py` from the result files of [benchmarks/poleval.py](../benchmarks/poleval.py).
Students, D-FINEs of 0.6 million weights and Faster R-CNNs of 0.8, learn from 179 of 198 annotated pages, the others
being set aside, and the distilled ones also from 300 pages without labels through a larger detector of their kind; 51
pages of other documents are the test, in which the class Formula occurs, that no training page has. Everything ran on
two cores, at 384 x 256 pixels, after pre-training on generated pages. All arms of a table have the same start and,
within three in a hundred, as many steps.

What was wanted, a student at least two points of mAP above labels alone beyond doubt, was not reached. mAP is that of
the detections as they come. The regions people get are those above a threshold a class, chosen on the pages set aside;
precision, recall and F1 are theirs at IoU .50, over all classes together. Where F1 rises and the mAP of the same
regions falls, fewer regions are shown and more of them are right: another working point, and no better detector.
Intervals are over pages, with the seeds averaged, and are not corrected for the number of arms. No setting was chosen
on the test pages, but what was tried came after earlier results on them had been seen: of the D-FINEs the longer start
after the shorter one and the longer training after both, the Faster R-CNNs after all of these, and their teacher
without generated pages beside the real ones once those had not helped a student (`rehearsed`), fused labels and soft
ones after all of them, and the two stages last.
"""
RCNN = """
Faster R-CNNs learn from far fewer pages: a student with a sixth of the D-FINE's pre-training is about as good in mAP,
and three times as large a share of the regions that it shows is right. Pseudo-labels, those of score 0.5 or more, make
it better in every column, but for mAP within the interval of no gain. Methods that teach queries or edges are not for
these detectors. No result yet: {missing}.
"""
AGAIN = """
The same pages and steps again, from the [shipped starts](../configs/detection/rcnn/starts), which are those of above in
half precision; how much labels alone and the teacher differ from above says how much such runs differ by chance.
`fused_labels` learns from what three teachers agree on (`distildoc predict --with`; another seed, larger pages, and one
that had learnt from the first one's pseudo-labels), made once on the pages as they are, with every region from the
score on that was best on the pages set aside. {fused}
The regions that they miss are background to the student, which may be why it is worse for so many labels.
"""
ROI = """
Soft classes and edges in the teacher's proposals, on all pages, in place of pseudo-labels; one seed.
"""
STAGES = """
Two stages, with as many steps together: first labels and, for the other pages, every region of score 0.1 or more that
four teachers fuse, each counting by its score; then labels alone. The fourth teacher, `teacher_published`, has the
backbone of a published detector of Chinese papers
([benchmarks/published_backbone.py](../benchmarks/published_backbone.py)), PP-LCNet, and has seen no generated page; its
mAP on the test pages is {teacher_published}, with red and blue exchanged by a mistake that has been mended since.
Without the mistake, and from an epoch of generated pages (`teacher_published_corpus`), it is
{teacher_published_corpus}: no teacher of these few pages is far above the student. `soft_labels` is one stage, of three
teachers. One seed.
"""
REHEARSED = """
A control without a teacher: labels alone, with 480 generated pages beside the 179 real ones in as many steps, one seed.
"""
METHODS = """
Methods beside the labels, their settings as they come; `query_pseudo` is query_kd and pseudo_labels together. No
result yet: {missing}.
"""
LONGER = """
With as many steps, a student that also sees pages without labels sees those with labels more rarely. So both got 2.5
times as many: both became better, and the gain in mAP did not grow.
"""
SHORTER = """
The first try: students that had seen a third as much of the generated pages, one seed.
"""
SECTIONS = {  # by result
    "poleval": Section("Each method", METHODS, "", "d-fine", teacher=True),
    "poleval_longer": Section("Longer training", LONGER, ", longer", "d-fine"),
    "poleval_short_start": Section("A shorter start", SHORTER, ", short start", "d-fine"),
    "poleval_rcnn": Section("Faster R-CNN", RCNN, ", R-CNN", "rcnn", teacher=True),
    "poleval_rcnn_again": Section("Faster R-CNN from the shipped starts", AGAIN, ", R-CNN again", "rcnn", teacher=True),
    "poleval_rcnn_roi": Section("Soft labels in the teacher's proposals", ROI, ", R-CNN again", "rcnn"),
    "poleval_rcnn_stages": Section("Soft labels first, then labels alone", STAGES, ", R-CNN again", "rcnn"),
    "poleval_rcnn_rehearsed": Section("Generated pages beside the real ones", REHEARSED, ", R-CNN", "rcnn"),
}


def main() -> None:
    found = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in SECTIONS
        if (path := RESULTS / f"{name}.json").is_file()
    }
    PAGE.write_text(page(found), encoding="utf-8")
    write_figure(draw(found), PLOT)
    print(PAGE, PLOT, sep="\n")


if __name__ == "__main__":
    main()
