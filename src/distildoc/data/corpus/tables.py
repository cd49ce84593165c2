"""Tables: rows of short cells between rules, boxes or stripes."""

from collections.abc import Sequence
from dataclasses import dataclass

from distildoc.data.corpus.flow import Column, break_lines
from distildoc.data.corpus.fonts import Font, Ink


@dataclass(frozen=True)
class TableStyle:
    """How a table is drawn; `grid` is box, rules, lines, stripes or bare, `align` has one of l, r, c a column."""

    font: Font
    head: Font
    align: str
    grid: str = "rules"
    fill: Ink = (0.9, 0.9, 0.9)
    padding: float = 3.5
    bold_rows: frozenset[int] = frozenset()


def draw_table(column: Column, rows: Sequence[Sequence[str]], shares: Sequence[float], style: TableStyle) -> int:
    """Draw the rows that fit, the first as the header, at the column's width; return how many were drawn.

    `shares` are relative column widths; long cells wrap.
    """
    total = sum(shares)
    widths = [column.width * share / total for share in shares]
    with column.sheet.region("Table"):
        drawn = 0
        tops = [column.y]
        for number, row in enumerate(rows):
            font = style.head if number == 0 or number in style.bold_rows else style.font
            cells = [break_lines(cell, font, w - 2 * style.padding) for cell, w in zip(row, widths, strict=True)]
            step = font.size * 1.16
            height = max(1, max(len(cell) for cell in cells)) * step + 1.3 * style.padding
            if column.y + height > column.bottom:
                break
            _shade(column, number, height, style)
            _cells(column, cells, widths, font, style)
            column.y += height
            tops.append(column.y)
            drawn += 1
        _rules(column, tops, widths, style)
    return drawn


def _shade(column: Column, number: int, height: float, style: TableStyle) -> None:
    striped = style.grid == "stripes" and (number == 0 or number % 2 == 0)
    if striped or (style.grid == "box" and number == 0):
        box = (column.x, column.y, column.x + column.width, column.y + height)
        column.sheet.rect(box, fill=style.fill, edge=None)


def _cells(column: Column, cells: list[list[str]], widths: list[float], font: Font, style: TableStyle) -> None:
    left = column.x
    for lines, width, align in zip(cells, widths, style.align, strict=True):
        for number, line in enumerate(lines):
            base = column.y + 0.6 * style.padding + (number + 0.82) * font.size * 1.16
            if align == "r":
                column.sheet.text(left + width - style.padding, base, line, font, align="right")
            elif align == "c":
                column.sheet.text(left + width / 2, base, line, font, align="center")
            else:
                column.sheet.text(left + style.padding, base, line, font)
        left += width


def _rules(column: Column, tops: list[float], widths: list[float], style: TableStyle) -> None:
    sheet, x0, x1 = column.sheet, column.x, column.x + column.width
    if len(tops) < 2 or style.grid == "bare":
        return
    heavy = {0, 1, len(tops) - 1}
    for number, y in enumerate(tops):
        if style.grid in ("box", "lines"):
            sheet.rule(x0, y, x1, y, thick=0.9 if number in heavy else 0.4, ink=style.font.ink)
        elif number in heavy:
            sheet.rule(x0, y, x1, y, thick=0.8, ink=style.font.ink)
    if style.grid == "box":
        left = x0
        for width in [0.0, *widths]:
            left += width
            sheet.rule(left, tops[0], left, tops[-1], thick=0.5, ink=style.font.ink)
