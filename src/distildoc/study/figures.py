"""Which charts a page shows of its groups of runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distildoc.schema.report import ReliabilityBin, Report
from distildoc.study.charts import Curve, IntervalChart, LineChart, Point, axis, interval_chart, line_chart
from distildoc.study.groups import Group
from distildoc.study.shown import Shown

GRID = 200  # points of a curve that is the mean of several
LEAST = 0.05  # share of the pages in a point of the reliability chart; fewer are noise


@dataclass(frozen=True)
class Charts:
    """None where nothing was measured."""

    scores: IntervalChart | None
    risk: LineChart | None
    reliability: LineChart | None
    learning: LineChart | None


def charts_of(groups: Sequence[Group], shown: Shown) -> Charts:
    """The charts of some groups; a group has the same colour in all of them."""
    return Charts(_scores(groups, shown), _risk(groups), _reliability(groups, shown), _learning(groups))


def _scores(groups: Sequence[Group], shown: Shown) -> IntervalChart | None:
    rows = [
        (group.name, score.value, score.low, score.high, style)
        for style, group in enumerate(groups)
        if (score := group.score(shown.primary))
    ]
    if not rows:
        return None
    x = axis([end for row in rows for end in row[2:4]], shown.axis)
    return interval_chart(shown.chart, rows, x)


def _risk(groups: Sequence[Group]) -> LineChart | None:
    curves = [
        Curve(group.name, _mean_risk(group.reports), style)
        for style, group in enumerate(groups)
        if group.reports and all(report.risk_coverage for report in group.reports)
    ]
    if not curves:
        return None
    risks = [y for curve in curves for _, y in curve.points]
    x = axis([0, 1], "coverage: share of pages kept", low=0, high=1)
    y = axis([*risks, 0.02], "risk: share of errors among them", low=0)
    return line_chart("Risk and coverage", curves, x, y)


def _reliability(groups: Sequence[Group], shown: Shown) -> LineChart | None:
    curves = [
        Curve(group.name, _joined(_pooled(group.reports)), style, markers=True)
        for style, group in enumerate(groups)
        if group.reports
    ]
    if not curves:
        return None
    x = axis([0, 1], shown.reliability[0], low=0, high=1)
    y = axis([0, 1], shown.reliability[1], low=0, high=1)
    return line_chart("Reliability", curves, x, y, diagonal=True)


def _learning(groups: Sequence[Group]) -> LineChart | None:
    curves = [
        Curve(group.name, [(at, float(np.mean(some))) for at, some in history], style, len(history) < 4, _band(history))
        for style, group in enumerate(groups)
        if (history := _histories(group))
    ]
    if not curves:
        return None
    epochs = [x for curve in curves for x, _ in curve.points]
    scores = [y for curve in curves for _, y in curve.points] + [y for c in curves for _, *ends in c.band for y in ends]
    x, y = axis(epochs, "epochs", low=0), axis(scores, "score on the validation pages")
    return line_chart("Learning", curves, x, y)


def _mean_risk(reports: Sequence[Report]) -> list[Point]:
    """The curve of one report; of several the mean risk, at coverages that all of them reach."""
    curves = [[(point.coverage, point.risk) for point in report.risk_coverage] for report in reports]
    if len(curves) == 1:
        return curves[0]
    grid = np.linspace(max(curve[-1][0] for curve in curves), 1, GRID)
    risks = [np.interp(grid, [x for x, _ in curve[::-1]], [y for _, y in curve[::-1]]) for curve in curves]
    return [(float(coverage), float(risk)) for coverage, risk in zip(grid, np.mean(risks, axis=0), strict=True)]


def _histories(group: Group) -> list[tuple[float, list[float]]]:
    """Epochs and the validation scores of the seeds that have them."""
    scores: dict[float, list[float]] = {}
    for run in group.runs:
        for epoch, score in run.history:
            scores.setdefault(epoch, []).append(score)
    return sorted(scores.items())


def _band(history: Sequence[tuple[float, list[float]]]) -> list[tuple[float, float, float]]:
    """From the least seed to the greatest; none of a single one."""
    if all(len(scores) == 1 for _, scores in history):
        return []
    return [(epoch, min(scores), max(scores)) for epoch, scores in history]


def _pooled(reports: Sequence[Report]) -> list[ReliabilityBin]:
    """The pages of all seeds in the same bins."""
    bins: dict[tuple[float, float], list[ReliabilityBin]] = {}
    for report in reports:
        for b in report.reliability:
            bins.setdefault((b.low, b.high), []).append(b)
    return [ReliabilityBin(*edges, sum(b.pages for b in some), *_middle(some)) for edges, some in sorted(bins.items())]


def _joined(bins: Sequence[ReliabilityBin]) -> list[Point]:
    """Mean confidence and accuracy of neighbouring bins taken together until they hold LEAST of the pages."""
    enough = LEAST * sum(b.pages for b in bins)
    groups: list[list[ReliabilityBin]] = []
    for b in reversed(bins):  # from the confident end, where most pages are
        if groups and sum(entry.pages for entry in groups[-1]) < enough:
            groups[-1].append(b)
        else:
            groups.append([b])
    if len(groups) > 1 and sum(entry.pages for entry in groups[-1]) < enough:
        rest = groups.pop()
        groups[-1] += rest
    return [_middle(group) for group in reversed(groups)]


def _middle(bins: Sequence[ReliabilityBin]) -> Point:
    pages = sum(b.pages for b in bins)
    return sum(b.pages * b.confidence for b in bins) / pages, sum(b.pages * b.accuracy for b in bins) / pages
