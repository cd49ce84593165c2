"""Slices of a layout report: the scores of single classes, and of groups of pages."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from distildoc.evaluate.layout_table import LayoutTable, groups_of
from distildoc.evaluate.slices import MOST_GROUPS, Slices
from distildoc.metrics import LAYOUT_SCORES, SHOWN_SCORES, LayoutOutcomes, intervals
from distildoc.metrics.bootstrap import draws, percentiles
from distildoc.metrics.detection import average_precisions
from distildoc.metrics.detection_curves import class_f1s, class_precisions, class_recalls
from distildoc.metrics.outcomes import Floats
from distildoc.schema.report import Score

POST = "_post"
CLASS_SHOWN: Mapping[str, Callable[[LayoutOutcomes, Floats], Floats]] = {
    "recall": class_recalls,
    "precision": class_precisions,
    "f1": class_f1s,
}


def layout_scores(found: LayoutOutcomes, post: LayoutOutcomes | None, *, seed: int) -> dict[str, Score]:
    """The scores of raw and, under names that end in `_post`, of post-processed detections; those with a value."""
    scores = intervals(found, LAYOUT_SCORES, seed=seed)
    if post is None:
        return scores
    named = {name + POST: score for name, score in LAYOUT_SCORES.items()}
    return scores | intervals(post, {**named, **SHOWN_SCORES}, seed=seed)


def class_slices(table: LayoutTable, *, seed: int) -> Slices:
    """Under `class: NAME` ap and ap50, and of post-processed detections recall, precision and f1 at IoU .50.

    The draws are those of the scores as a whole. A score without a value on these pages is left out.
    """
    columns = _by_class(table.outcomes, {"ap": _aps, "ap50": _ap50s}, seed=seed)
    if table.post_outcomes is not None:
        columns |= _by_class(table.post_outcomes, CLASS_SHOWN, seed=seed)
    return {
        f"class: {label}": {name: score for name, scores in columns.items() if (score := scores[number]) is not None}
        for number, label in enumerate(table.labels)
    }


def group_slices(table: LayoutTable, *, seed: int) -> Slices:
    """Under `group: NAME` the scores of the pages of a group, resampled within it; pages without one are in none.

    Raises ValueError for more than 200 groups.
    """
    groups = groups_of(table.groups)
    if len(groups) > MOST_GROUPS:
        raise ValueError(f"the pages have {len(groups)} groups, the most is {MOST_GROUPS}")
    result: Slices = {}
    for name, rows in groups.items():
        some = np.array(rows, np.int64)
        post = None if table.post_outcomes is None else table.post_outcomes.select(some)
        result[f"group: {name}"] = layout_scores(table.outcomes.select(some), post, seed=seed)
    return result


def _by_class(
    found: LayoutOutcomes, scores: Mapping[str, Callable[[LayoutOutcomes, Floats], Floats]], *, seed: int
) -> dict[str, Sequence[Score | None]]:
    """Each score [R, C] of every class with its interval; None where it has no value."""
    whole = np.ones((1, len(found)))
    pieces: dict[str, list[Floats]] = {name: [] for name in scores}
    for counts in draws(len(found), seed=seed):
        for name, score in scores.items():
            pieces[name].append(score(found, counts))
    result: dict[str, Sequence[Score | None]] = {}
    for name, score in scores.items():
        values, drawn = score(found, whole)[0], np.concatenate(pieces[name])
        result[name] = [
            Score(float(value), *percentiles(column)) if np.isfinite(value) else None
            for value, column in zip(values, drawn.T, strict=True)
        ]
    return result


def _aps(found: LayoutOutcomes, counts: Floats) -> Floats:
    return np.asarray(average_precisions(found, counts).mean(1))


def _ap50s(found: LayoutOutcomes, counts: Floats) -> Floats:
    return average_precisions(found, counts, slice(0, 1))[:, 0]
