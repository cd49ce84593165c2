"""Charts as plain geometry, which a template turns into SVG: no plotting library, no script, any colour scheme.

Coordinates are those of the SVG view box, in user units: x to the right, y down.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 14, 46  # margins for tick labels and axis titles
COLOURS = 12  # of the palette in the style sheet; further curves repeat them with other dashes
DASHES = ("", "6 3", "2 3", "8 3 2 3")
LONGEST = 22  # letters of a name beside a line
ROW = 30  # height of a line in a chart of intervals

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """Points (x, y) of one run under the name that the legend shows; curves of one style share name and colour.

    band  (x, low, high) of what is shaded around it.
    """

    name: str
    points: Sequence[Point]
    style: int
    markers: bool = False
    band: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True)
class Axis:
    """Ends in data units, ticks as (value, text), and what is measured."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    title: str


@dataclass(frozen=True)
class Line:
    """A drawn curve: `points` and the outline of its `band` as SVG wants them, and its dots."""

    name: str
    points: str
    dots: tuple[Point, ...]
    colour: int
    dash: str
    band: str = ""


@dataclass(frozen=True)
class Tick:
    """Where a tick stands, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Legend:
    name: str
    colour: int
    dash: str


@dataclass(frozen=True)
class LineChart:
    title: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    legend: tuple[Legend, ...]
    diagonal: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Whisker:
    """A value with its interval on one line of a chart."""

    name: str
    text: str
    y: float
    x: float
    low: float
    high: float
    colour: int


@dataclass(frozen=True)
class IntervalChart:
    title: str
    x_title: str
    ticks: tuple[Tick, ...]
    rows: tuple[Whisker, ...]
    left: int
    width: int
    height: int
    right: int
    bottom: int


def axis(values: Sequence[float], title: str, *, low: float | None = None, high: float | None = None) -> Axis:
    """An axis that holds the values, widened to round ends unless `low` or `high` is given."""
    least, most = min(values, default=0.0), max(values, default=1.0)
    least, most = (least if low is None else low), (most if high is None else high)
    if most - least < 1e-9:
        least, most = (least if low is not None else least - 0.05), (most if high is not None else most + 0.05)
    step = _step(most - least)
    start = least if low is not None else math.floor(least / step + 1e-9) * step
    end = most if high is not None else math.ceil(most / step - 1e-9) * step
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    ticks = tuple((number * step, f"{number * step:.{digits}f}") for number in range(first, last + 1))
    return Axis(start, end, ticks, title)


def line_chart(title: str, curves: Sequence[Curve], x: Axis, y: Axis, *, diagonal: bool = False) -> LineChart:
    """Curves over common axes; `diagonal` draws x = y dashed."""

    def place(point: Point) -> Point:
        return _x(point[0], x), _y(point[1], y)

    lines = []
    for curve in curves:
        placed = [place(point) for point in curve.points]
        around = [(at, low) for at, low, _ in curve.band] + [(at, high) for at, _, high in reversed(curve.band)]
        band = _outline([place(point) for point in around])
        dots = tuple(placed) if curve.markers else ()
        lines.append(Line(curve.name, _outline(placed), dots, curve.style % COLOURS, _dash(curve.style), band))
    legend = {line.name: Legend(line.name, line.colour, line.dash) for line in lines}
    ends = [place((value, value)) for value in (max(x.low, y.low), min(x.high, y.high))]
    return LineChart(
        title=title,
        x_title=x.title,
        y_title=y.title,
        x_ticks=tuple(Tick(_x(value, x), text) for value, text in x.ticks),
        y_ticks=tuple(Tick(_y(value, y), text) for value, text in y.ticks),
        lines=tuple(lines),
        legend=tuple(legend.values()),
        diagonal=_outline(ends) if diagonal else "",
    )


def interval_chart(title: str, rows: Sequence[tuple[str, float, float, float, int]], x: Axis) -> IntervalChart:
    """One line a row of (name, value, low, high, style), top to bottom."""
    left = 24 + 8 * min(LONGEST, max((len(row[0]) for row in rows), default=0))
    right = WIDTH - 58

    def place(value: float) -> float:
        share = (min(max(value, x.low), x.high) - x.low) / (x.high - x.low)
        return left + share * (right - left)

    whiskers = tuple(
        Whisker(
            _short(name),
            f"{value:.3f}",
            TOP + ROW * (number + 0.5),
            place(value),
            place(low),
            place(high),
            style % COLOURS,
        )
        for number, (name, value, low, high, style) in enumerate(rows)
    )
    bottom = TOP + ROW * len(rows)
    ticks = tuple(Tick(place(value), text) for value, text in x.ticks)
    return IntervalChart(title, x.title, ticks, whiskers, left, WIDTH, bottom + BOTTOM, right, bottom)


def _outline(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _step(span: float, most: int = 6) -> float:
    """The smallest of 1, 2, 5 x 10^n that cuts the span into at most `most` parts."""
    exact = span / most
    power = 10.0 ** math.floor(math.log10(exact))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= exact * (1 - 1e-9))


def _x(value: float, x: Axis) -> float:
    return LEFT + (value - x.low) / (x.high - x.low) * (WIDTH - LEFT - RIGHT)


def _y(value: float, y: Axis) -> float:
    return HEIGHT - BOTTOM - (value - y.low) / (y.high - y.low) * (HEIGHT - TOP - BOTTOM)


def _dash(style: int) -> str:
    return DASHES[style // COLOURS % len(DASHES)]
