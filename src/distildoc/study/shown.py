"""What the page shows and says of each task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distildoc.schema.errors import InputError
from distildoc.study.groups import Group


@dataclass(frozen=True)
class Shown:
    """Scores by the title of their column, and the words around them.

    main          columns of the first table; the first one ranks the runs, and gains are counted in it.
    every         columns of the second.
    best          what the run with the highest score is, in a sentence.
    chart, axis   title of the chart of that score, and of its axis.
    notes         under the two tables and the plots.
    classes       score of single classes that is shown, and what it means.
    reliability   what a point of that chart is, across and up.
    """

    main: Mapping[str, str]
    every: Mapping[str, str]
    best: str
    chart: str
    axis: str
    notes: tuple[str, str, str]
    classes: tuple[str, str]
    reliability: tuple[str, str]

    @property
    def primary(self) -> str:
        """Name of the score that ranks the runs."""
        return next(iter(self.main))


_PAGES = {"accuracy": "accuracy", "aurc": "AURC", "ece": "ECE"}
_REGIONS = {"map": "mAP", "ap50": "AP50", "ap75": "AP75"}

SHOWN: Mapping[str, Shown] = {
    "classification": Shown(
        main=_PAGES,
        every={
            **_PAGES,
            "macro_f1": "macro-F1",
            "nll": "NLL, nats",
            "brier": "Brier",
            "ece_equal_mass": "ECE, eq. mass",
            "aurc_trapezoid": "AURC, trap.",
        },
        best="is the most accurate",
        chart="Accuracy",
        axis="accuracy on the test pages",
        notes=(
            "AURC and ECE: lower is better; the interval of ECE leans upward, because resampling adds noise to every "
            "bin.",
            "ECE: 15 bins of equal width. ECE, equal mass: at most 100 bins of equal size against their upper edges, "
            "as in the DistilDoc paper. AURC: mean selective risk over all coverages; trapezoid: the paper's form. "
            "Brier: sum over classes.",
            "Reliability: bins of confidence, neighbours taken together until they hold a twentieth of the pages.",
        ),
        classes=("recall", "Recall: share of the pages of a class that are found."),
        reliability=("mean confidence of the bin", "accuracy of the bin"),
    ),
    "detection": Shown(
        main=_REGIONS,
        every={
            **_REGIONS,
            "map_post": "mAP, shown",
            "ap50_post": "AP50, shown",
            "ap75_post": "AP75, shown",
            "precision": "precision",
            "recall": "recall",
            "f1": "F1",
        },
        best="has the highest mAP",
        chart="mAP",
        axis="mAP at IoU .50 to .95 on the test pages",
        notes=(
            "mAP: COCO's average precision over classes and IoU .50 to .95, of all detections; AP50 and AP75 at one "
            "IoU.",
            "Shown: of the regions that are left after thresholds and overlaps, the way people get them; precision, "
            "recall and F1 are theirs, at IoU .50, over all classes together.",
            "Reliability: share of detections that take a true region at IoU .50, in bins of their score, neighbours "
            "taken together until they hold a twentieth of the detections.",
        ),
        classes=("ap", "Average precision of each class, at IoU .50 to .95."),
        reliability=("mean score of the bin", "share of hits in the bin"),
    ),
}


def shown_of(groups: Sequence[Group]) -> Shown:
    """What to show of some groups: classification where none has been scored.

    Raises InputError where they are about different tasks, or one that no page is made of.
    """
    tasks = sorted({report.task for group in groups for report in group.reports})
    if len(tasks) > 1:
        raise InputError(f"the runs are about different tasks ({', '.join(tasks)}); make a page of each")
    if tasks and tasks[0] not in SHOWN:
        raise InputError(f"no page can be made of the task '{tasks[0]}'; known: {', '.join(SHOWN)}")
    return SHOWN[tasks[0] if tasks else "classification"]
