"""Slices: the same scores for parts of the pages, because a mean hides who pays for it."""

from collections.abc import Mapping, Sequence

import numpy as np

from distildoc.metrics import SCORES, Outcomes, intervals
from distildoc.metrics.accuracy import class_f1s, class_precisions, class_recalls
from distildoc.metrics.bootstrap import draws, percentiles
from distildoc.schema.report import Score

CLASS_SCORES = {"recall": class_recalls, "precision": class_precisions, "f1": class_f1s}
GROUP_SCORES = ("accuracy", "nll", "brier", "aurc")
MOST_GROUPS = 200  # of one kind; more is a mistake, such as grouping by page id

Slices = dict[str, dict[str, Score]]


def class_slices(found: Outcomes, labels: Sequence[str], *, seed: int) -> Slices:
    """Recall, precision and F1 of every class, under `class: NAME`.

    The draws are those of the scores as a whole. A score without a value (no page, or no call, of the class) is left
    out.
    """
    whole = np.ones((1, len(found)))
    values = {name: score(found, whole)[0] for name, score in CLASS_SCORES.items()}
    drawn = {name: np.empty((0, found.classes)) for name in CLASS_SCORES}
    for counts in draws(len(found), seed=seed):
        for name, score in CLASS_SCORES.items():
            drawn[name] = np.concatenate([drawn[name], score(found, counts)])
    result: Slices = {}
    for column, label in enumerate(labels):
        result[f"class: {label}"] = {
            name: Score(float(values[name][column]), *percentiles(drawn[name][:, column]))
            for name in CLASS_SCORES
            if np.isfinite(values[name][column])
        }
    return result


def group_slices(found: Outcomes, groups: Mapping[str, Sequence[str]], *, seed: int) -> Slices:
    """Scores of groups of pages, under `KIND: GROUP`; `groups` gives, by kind, the group of every page in order.

    Pages are resampled within their group. Raises ValueError for a kind with more than 200 groups.
    """
    result: Slices = {}
    scores = {name: SCORES[name] for name in GROUP_SCORES}
    for kind, names in groups.items():
        known = sorted(set(names))
        if len(known) > MOST_GROUPS:
            raise ValueError(f"slice '{kind}' has {len(known)} groups, the most is {MOST_GROUPS}")
        for name in known:
            rows = np.array([group == name for group in names])
            result[f"{kind}: {name}"] = intervals(found.select(rows), scores, seed=seed)
    return result
