"""Vector charts: bars, lines, pies and scatter plots with axes, ticks and names."""

import math
import random
from collections.abc import Callable, Sequence

from distildoc.data.corpus.fonts import Font, Ink
from distildoc.data.corpus.sheet import Box, Sheet


def chart(sheet: Sheet, box: Box, names: Sequence[str], axis: str, rng: random.Random) -> str:
    """Draw a chart of a random kind into the box as a Picture; return its kind (bar, line, pie, scatter)."""
    kind = rng.choice(tuple(_KINDS))
    with sheet.region("Picture"):
        sheet.mark(box)
        _KINDS[kind](sheet, box, names, axis, rng)
    return kind


def _shades(sheet: Sheet, count: int) -> list[Ink]:
    if not sheet.look.shifted:
        return [(0.25 + 0.5 * i / max(count - 1, 1),) * 3 for i in range(count)]
    red, green, blue = sheet.look.accent
    mix = [0.75 * i / max(count - 1, 1) for i in range(count)]
    return [(red + (1 - red) * m, green + (1 - green) * m, blue + (1 - blue) * m) for m in mix]


def _small(sheet: Sheet, box: Box) -> Font:
    """Chart lettering: larger in a larger chart, so that slides stay legible."""
    return sheet.look.label(min(1.5, max(0.68, (box[3] - box[1]) / 200)))


def _axes(sheet: Sheet, box: Box, top: float, axis: str) -> Box:
    """Draw axes with four ticks up to `top` and return the plot area."""
    x0, y0, x1, y1 = box
    font = _small(sheet, box)
    area = (x0 + 8 + 3.4 * font.size, y0 + 6 + 2.2 * font.size, x1 - 6, y1 - 6 - 1.6 * font.size)
    sheet.text(x0 + 2, y0 + 1.2 * font.size, axis, font)
    for tick in range(5):
        y = area[3] - (area[3] - area[1]) * tick / 4
        sheet.text(area[0] - 4, y + 2.5, f"{top * tick / 4:g}", font, align="right")
        sheet.rule(area[0] - 2, y, area[0], y, thick=0.5)
        if tick:
            sheet.rule(area[0], y, area[2], y, thick=0.25, ink=(0.75, 0.75, 0.75))
    sheet.rule(area[0], area[1], area[0], area[3], thick=0.8)
    sheet.rule(area[0], area[3], area[2], area[3], thick=0.8)
    return area


def _name_ticks(sheet: Sheet, area: Box, names: Sequence[str], font: Font) -> None:
    step = (area[2] - area[0]) / len(names)
    for i, name in enumerate(names):
        sheet.text(
            area[0] + (i + 0.5) * step,
            area[3] + 1.4 * font.size,
            _shortened(name, font, step - 3),
            font,
            align="center",
        )


def _shortened(name: str, font: Font, width: float) -> str:
    while len(name) > 3 and font.width(name) > width:
        name = name[:-2].rstrip() + "."
    return name


def _bars(sheet: Sheet, box: Box, names: Sequence[str], axis: str, rng: random.Random) -> None:
    top = rng.choice((4, 8, 20, 40, 80, 100, 400))
    area = _axes(sheet, box, top, axis)
    step = (area[2] - area[0]) / len(names)
    groups = rng.choice((1, 1, 2, 3))
    shades = _shades(sheet, groups)
    wide = 0.72 * step / groups
    for i in range(len(names)):
        for g in range(groups):
            high = (area[3] - area[1]) * rng.uniform(0.15, 0.97)
            left = area[0] + i * step + 0.14 * step + g * wide
            sheet.rect((left, area[3] - high, left + wide, area[3]), fill=shades[g], edge=(0.1, 0.1, 0.1), thick=0.4)
    _name_ticks(sheet, area, names, _small(sheet, box))


def _lines(sheet: Sheet, box: Box, names: Sequence[str], axis: str, rng: random.Random) -> None:
    top = rng.choice((1, 4, 12, 20, 60, 100))
    area = _axes(sheet, box, top, axis)
    count = rng.randint(6, 16)
    for curve, ink in enumerate(_shades(sheet, rng.randint(1, 3))):
        level, points = rng.uniform(0.2, 0.8), []
        for i in range(count):
            level = min(0.97, max(0.04, level + rng.gauss(0.015, 0.08)))
            points.append((area[0] + (area[2] - area[0]) * (i + 0.5) / count, area[3] - (area[3] - area[1]) * level))
        sheet.shape(points, fill=None, edge=ink, thick=1.3 - 0.3 * curve)
        if curve == 0:
            for x, y in points:
                sheet.oval((x - 1.6, y - 1.6, x + 1.6, y + 1.6), fill=ink, edge=None)
    _name_ticks(sheet, area, names, _small(sheet, box))


def _scatter(sheet: Sheet, box: Box, names: Sequence[str], axis: str, rng: random.Random) -> None:
    top = rng.choice((2, 10, 40, 100))
    area = _axes(sheet, box, top, axis)
    slope, ink = rng.uniform(-0.7, 0.7), _shades(sheet, 1)[0]
    middle = 0.5 - slope / 2
    for _ in range(rng.randint(25, 60)):
        along = rng.random()
        level = min(0.97, max(0.03, middle + slope * along + rng.gauss(0, 0.08)))
        x, y = area[0] + (area[2] - area[0]) * along, area[3] - (area[3] - area[1]) * level
        sheet.oval((x - 1.3, y - 1.3, x + 1.3, y + 1.3), fill=ink, edge=None)
    high, low = (
        area[1] + (area[3] - area[1]) * (1 - middle),
        area[1] + (area[3] - area[1]) * (1 - middle - slope),
    )
    sheet.rule(area[0], min(max(high, area[1]), area[3]), area[2], min(max(low, area[1]), area[3]), thick=0.8)
    _name_ticks(sheet, area, names, _small(sheet, box))


def _pie(sheet: Sheet, box: Box, names: Sequence[str], axis: str, rng: random.Random) -> None:
    x0, y0, x1, y1 = box
    font = _small(sheet, box)
    radius = min((0.3 if x1 - x0 > 260 else 0.2) * (x1 - x0), 0.42 * (y1 - y0 - 14))
    cx, cy = x0 + radius + 10, (y0 + y1) / 2 + 5
    shares = [rng.uniform(0.4, 2.0) for _ in names]
    start = rng.uniform(0, math.tau)
    sheet.text(x0 + 4, y0 + 1.2 * font.size, axis, font)
    row = cy - 0.5 * len(names) * font.size * 1.6
    for i, (name, share, shade) in enumerate(zip(names, shares, _shades(sheet, len(names)), strict=True)):
        end = start + math.tau * share / sum(shares)
        arc = [start + (end - start) * k / 14 for k in range(15)]
        points = [(cx, cy)] + [(cx + radius * math.cos(a), cy + radius * math.sin(a)) for a in arc]
        sheet.shape(points, fill=shade, edge=(1, 1, 1), thick=0.8)
        y = row + i * font.size * 1.6
        left = cx + radius + 16
        sheet.rect((left, y - 5, left + 7, y + 2), fill=shade, edge=(0.2, 0.2, 0.2), thick=0.3)
        percent = f"{100 * share / sum(shares):.0f}%"
        sheet.text(left + 11, y + 1.5, f"{_shortened(name, font, x1 - left - 40)} {percent}", font)
        start = end


_KINDS: dict[str, Callable[[Sheet, Box, Sequence[str], str, random.Random], None]] = {
    "bar": _bars,
    "line": _lines,
    "pie": _pie,
    "scatter": _scatter,
}
