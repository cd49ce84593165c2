"""The charts of a study: one set for each of its tables, small multiples by column where lines would crowd."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from distildoc.study.charts import Curve, IntervalChart, LineChart, axis, interval_chart, line_chart
from distildoc.study.figures import Charts, charts_of
from distildoc.study.groups import Group
from distildoc.study.harder import Damage, Shifted
from distildoc.study.results import At, Results
from distildoc.study.shown import Shown
from distildoc.study.statistics import Place
from distildoc.study.tables import Table

COSTS = {"parameters": ("weights, thousands", 1e-3), "latency_ms": ("latency of a page, ms", 1.0)}


@dataclass(frozen=True)
class Panel:
    """The charts of one column of a table: scores, risk, reliability and learning of its rows."""

    column: str
    charts: Charts


@dataclass(frozen=True)
class Pictures:
    """size, latency  score against what a student costs, a line a row; None where it was not measured."""

    size: LineChart | None
    latency: LineChart | None
    panels: tuple[Panel, ...]


def pictures_of(results: Results, table: Table, places: Mapping[At, Place], shown: Shown) -> Pictures:
    """All charts of a table; a row has the same colour in each."""
    return Pictures(
        _against_cost(results, table, places, "parameters", shown, front=False),
        _against_cost(results, table, places, "latency_ms", shown, front=True),
        tuple(_panel(results, table, column, shown) for column in table.columns),
    )


def shift_chart(found: Shifted, results: Results, shown: Shown) -> LineChart:
    """Scores on shifted pages against those on the test pages, a point a row and column."""
    styles = {row: number for number, row in enumerate(results.choices_down)}
    curves = [Curve(one.row, [(one.inside, one.outside)], styles[one.row], markers=True) for one in found.rows]
    x = axis([one.inside for one in found.rows], f"{shown.chart} on the test pages")
    y = axis([one.outside for one in found.rows], f"{shown.chart} on {found.pages}")
    return line_chart(f"Test pages and {found.pages}", curves, x, y)


def damage_charts(damages: Sequence[Damage], results: Results, shown: Shown) -> list[LineChart]:
    """Scores by severity, the mean of the kinds, one chart a column."""
    styles = {row: number for number, row in enumerate(results.choices_down)}
    charts = []
    for column in dict.fromkeys(one.column for one in damages):
        curves = [
            Curve(one.row, [(float(at), one.at(at)) for at in (0, *one.severities)], styles[one.row], markers=True)
            for one in damages
            if one.column == column and one.severities
        ]
        points = [point for curve in curves for point in curve.points]
        if points:
            x = axis([x for x, _ in points], "severity; 0 is undamaged", low=0)
            y = axis([y for _, y in points], f"{shown.chart}, mean of the kinds")
            charts.append(line_chart(", ".join(part for part in ("Damage", column) if part), curves, x, y))
    return charts


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (cost, score) those that nothing is both cheaper and better than, from cheap to dear.

    >>> pareto([(2.0, 0.8), (1.0, 0.7), (3.0, 0.75), (4.0, 0.9)])
    [(1.0, 0.7), (2.0, 0.8), (4.0, 0.9)]
    """
    front: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or score > front[-1][1]:
            front.append((cost, score))
    return front


def _against_cost(
    results: Results, table: Table, places: Mapping[At, Place], cost: str, shown: Shown, *, front: bool
) -> LineChart | None:
    title, unit = COSTS[cost]
    curves = []
    for style, row in enumerate(results.choices_down):
        points = [
            (unit * price, places[at].scores[shown.primary].value)
            for column in table.columns
            for at in [results.cell(table.at, row, column)]
            if at is not None and at in places and (price := _cost(results, at, cost)) is not None
        ]
        if points:
            curves.append(Curve(row, sorted(points), style, markers=True))
    if not curves:
        return None
    every = [point for curve in curves for point in curve.points]
    if front:
        curves = [Curve(curve.name, [point], curve.style, markers=True) for curve in curves for point in curve.points]
        curves.append(Curve("best for its cost", pareto(every), len(results.choices_down)))
    x = axis([x for x, _ in every], title, low=0)
    y = axis([y for _, y in every], shown.axis)
    return line_chart(f"{shown.chart} against {title.partition(',')[0]}", curves, x, y)


def _cost(results: Results, at: At, name: str) -> float | None:
    values = [report.cost[name] for entry in results.places[at] if (report := entry.report()) and name in report.cost]
    return float(np.mean(values)) if values else None


def _panel(results: Results, table: Table, column: str, shown: Shown) -> Panel:
    scored = {row: entries for row, at, entries in results.scored(table.at) if at == column}
    groups = [
        Group(row, "student", tuple(entry.run for entry in scored.get(row, ()) if entry.run is not None))
        for row in results.choices_down
    ]
    return Panel(column, replace(charts_of(groups, shown), scores=_scores(table, column, shown)))


def _scores(table: Table, column: str, shown: Shown) -> IntervalChart | None:
    """The primary scores with the intervals of the table."""
    found = [(style, line.name, line.boxes.get((column, shown.primary))) for style, line in enumerate(table.lines)]
    estimates = [(name, box.estimate, style) for style, name, box in found if box is not None]
    if not estimates:
        return None
    x = axis([end for _, one, _ in estimates for end in (one.low, one.high)], shown.axis)
    return interval_chart(
        shown.chart, [(name, one.value, one.low, one.high, style) for name, one, style in estimates], x
    )
