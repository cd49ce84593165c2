"""Groups: runs that differ in their seed alone stand in one row."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from distildoc.metrics import HIGHER_IS_BETTER, Difference, paired_difference_of_means
from distildoc.metrics.bootstrap import draws, percentiles
from distildoc.metrics.detection import maps
from distildoc.schema.errors import InputError
from distildoc.schema.report import Report, Score
from distildoc.study.runs import ROLES, Run


@dataclass(frozen=True)
class Group:
    """One or several seeds of a run."""

    name: str
    role: str
    runs: tuple[Run, ...]

    @cached_property
    def reports(self) -> tuple[Report, ...]:
        return tuple(run.report for run in self.runs if run.report is not None)

    @property
    def report(self) -> Report | None:
        """The report of the first seed that has one, for plots that show one run."""
        return self.reports[0] if self.reports else None

    def score(self, name: str, part: str | None = None) -> Score | None:
        """One run: value and 95 % interval over pages. Several: mean of the seeds, and their smallest and largest.

        `part` names a slice. None where it was not measured.
        """
        found = [report.scores if part is None else report.slices.get(part, {}) for report in self.reports]
        scores = [entry[name] for entry in found if name in entry]
        if len(scores) < 2:
            return scores[0] if scores else None
        values = [score.value for score in scores]
        return Score(float(np.mean(values)), min(values), max(values))

    def cost(self, name: str) -> float | None:
        """Mean over the seeds of one entry of the cost, or None."""
        values = [report.cost[name] for report in self.reports if name in report.cost]
        return float(np.mean(values)) if values else None


def group_runs(runs: Sequence[Run]) -> tuple[Group, ...]:
    """Teachers, then supervised runs, then students, each from the best primary score to the worst.

    Runs of one name but with the same seed are no seeds of one another: the later one goes by its folder as well.
    """
    members: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        key = (run.role, run.stem)
        if any(run.seed == other.seed for other in members.get(key, [])):
            key = (run.role, f"{run.path.parent.name}/{run.path.name}")
        members.setdefault(key, []).append(run)
    groups = [Group(stem, role, tuple(some)) for (role, stem), some in members.items()]
    return tuple(sorted(groups, key=lambda group: (ROLES.index(group.role), -_rank(group), group.name)))


def best_of(groups: Sequence[Group], name: str) -> frozenset[str]:
    """Names of the groups, teachers aside, whose score is the best of its column."""
    found = {group.name: score.value for group in groups if group.role != "teacher" and (score := group.score(name))}
    if len(found) < 2:
        return frozenset()
    best = max(found.values()) if name in HIGHER_IS_BETTER else min(found.values())
    return frozenset(group for group, value in found.items() if value == best)


def accuracy_gain(group: Group, baseline: Group, *, seed: int = 0) -> Difference | None:
    """Accuracy above that of the baseline on the same pages, with a paired 95 % bootstrap interval over pages.

    Seeds are paired by number (one run each: as they are) and averaged page by page, so that the interval speaks of
    other pages and not of other seeds. None where predictions or common seeds are missing, or pages differ.
    """
    tables = [(one.table(), other.table()) for one, other in _pairs(group, baseline)]
    if not tables or tables[0][1] is None:
        return None
    gains = []
    for one, other in tables:
        if one is None or other is None:
            return None
        try:
            a, b = one.like(tables[0][1]), other.like(tables[0][1])
        except InputError:  # other pages or classes: the page says so
            return None
        gains.append(a.outcomes.hits - b.outcomes.hits)
    gain = np.mean(gains, axis=0)
    drawn = np.concatenate([counts @ gain / len(gain) for counts in draws(len(gain), seed=seed)])
    above = float(np.mean(drawn > 0) + np.mean(drawn == 0) / 2)
    return Difference(float(gain.mean()), *percentiles(drawn), above)


def layout_gain(group: Group, baseline: Group, *, seed: int = 0) -> Difference | None:
    """mAP above that of the baseline on the same pages, with a paired 95 % bootstrap interval over pages.

    Seeds are paired by number (one run each: as they are), and the score is averaged over them within each draw. None
    where detections or common seeds are missing, or pages differ.
    """
    found = [(one.layouts(), other.layouts()) for one, other in _pairs(group, baseline)]
    ours, theirs = [one for one, _ in found if one is not None], [other for _, other in found if other is not None]
    if not found or not len(ours) == len(theirs) == len(found):
        return None
    if not all(one.same_pages(ours[0]) for one in (*ours, *theirs)):
        return None
    return paired_difference_of_means(maps, ours, theirs, seed=seed)


def _pairs(group: Group, baseline: Group) -> list[tuple[Run, Run]]:
    if len(group.runs) == len(baseline.runs) == 1:
        return [(group.runs[0], baseline.runs[0])]
    seeds = {run.seed: run for run in baseline.runs if run.seed is not None}
    return [(run, seeds[run.seed]) for run in group.runs if run.seed in seeds]


def _rank(group: Group) -> float:
    report = group.report
    score = group.score(report.primary) if report else None
    return score.value if score else -1.0
