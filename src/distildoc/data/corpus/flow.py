"""Setting text: line breaking, justified paragraphs, and a column that fills from top to bottom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from distildoc.data.corpus.fonts import Font
from distildoc.data.corpus.sheet import Sheet


@dataclass(frozen=True)
class Setting:
    """How a paragraph is set: font, line distance as a multiple of its size, alignment, first-line indent in points.

    `align` is left, justify, center or right; `lead` opens the first line in its own font.
    """

    font: Font
    leading: float = 1.22
    align: str = "left"
    indent: float = 0.0
    lead: tuple[str, Font] | None = None


def break_lines(text: str, font: Font, width: float, *, first_width: float | None = None) -> list[str]:
    """Break text greedily into lines no wider than `width` points; a single longer word stands alone."""
    space = font.width(" ")
    lines: list[str] = []
    line: list[str] = []
    used = 0.0
    limit = width if first_width is None else first_width
    for word in text.split():
        wide = font.width(word)
        if line and used + space + wide > limit:
            lines.append(" ".join(line))
            line, used, limit = [], 0.0, width
        used += wide + (space if line else 0.0)
        line.append(word)
    if line:
        lines.append(" ".join(line))
    return lines


class Column:
    """A column of a page: what is added goes below what is there, until `bottom`.

    Every method that takes text draws as many lines as fit and returns what did not, so that a text can run on
    in the next column.
    """

    def __init__(self, sheet: Sheet, x: float, y: float, width: float, bottom: float) -> None:
        self.sheet = sheet
        self.x = x
        self.y = y
        self.width = width
        self.bottom = bottom

    @property
    def room(self) -> float:
        """Height left, in points."""
        return self.bottom - self.y

    def gap(self, height: float) -> None:
        """Leave a vertical space."""
        self.y += height

    def inset(self, left: float, right: float = 0.0) -> "Column":
        """A narrower column starting here; take its `y` back when it is done."""
        return Column(self.sheet, self.x + left, self.y, self.width - left - right, self.bottom)

    def set(self, text: str, setting: Setting, kind: str | None = "Text") -> str:
        """Set a paragraph and return the text that did not fit; `kind` None records no region of its own."""
        lead_width = 0.0
        if setting.lead:
            lead_width = setting.lead[1].width(setting.lead[0]) + setting.font.width(" ")
        opening = self.width - setting.indent - lead_width
        lines = break_lines(text, setting.font, self.width, first_width=max(opening, 20.0))
        step = setting.font.size * setting.leading
        fit = max(0, int((self.room + 0.3 * setting.font.size) / step))
        if fit <= 0 or not lines:
            return text
        if kind is None:
            self._draw(lines[:fit], setting, lead_width)
        else:
            with self.sheet.region(kind):
                self._draw(lines[:fit], setting, lead_width, last_fits=fit >= len(lines))
        return " ".join(lines[fit:])

    def _draw(self, lines: list[str], setting: Setting, lead_width: float, *, last_fits: bool = True) -> None:
        step = setting.font.size * setting.leading
        for number, line in enumerate(lines):
            self.y += step
            base = self.y - 0.28 * step
            left = self.x
            if number == 0:
                left += setting.indent + lead_width
                if setting.lead:
                    self.sheet.text(self.x + setting.indent, base, setting.lead[0], setting.lead[1])
            loose = setting.align == "justify" and (number < len(lines) - 1 or not last_fits)
            self._line(line, left, base, setting, loose)

    def _line(self, line: str, left: float, base: float, setting: Setting, loose: bool) -> None:
        font = setting.font
        if setting.align == "center":
            self.sheet.text(self.x + self.width / 2, base, line, font, align="center")
        elif setting.align == "right":
            self.sheet.text(self.x + self.width, base, line, font, align="right")
        else:
            spaces = line.count(" ")
            slack = self.x + self.width - left - font.width(line)
            # a wide gap in a narrow column reads as two columns, so such a line stays ragged
            spread = slack / spaces if loose and spaces and slack / spaces < 0.9 * font.size else 0.0
            self.sheet.text(left, base, line, font, spread=max(spread, 0.0))

    def heading(self, text: str, font: Font, *, kind: str = "Section-header", above: float = 8.0) -> bool:
        """Set a heading if it and two lines below it fit; say whether it was set."""
        lines = break_lines(text, font, self.width)
        if self.room < above + len(lines) * font.size * 1.2 + 30:
            return False
        self.gap(above)
        self.set(text, Setting(font, 1.18), kind)
        self.gap(0.25 * font.size)
        return True

    def items(self, texts: Sequence[str], setting: Setting, *, bullet: str = "-", indent: float = 16.0) -> None:
        """Set list items that fit whole; a bullet of '1' numbers them, of 'a' letters them."""
        for number, text in enumerate(texts):
            sign = {"1": f"{number + 1}.", "a": f"({chr(97 + number % 26)})"}.get(bullet, bullet)
            inner = self.inset(indent)
            need = len(break_lines(text, setting.font, inner.width)) * setting.font.size * setting.leading
            if need > self.room:
                return
            with self.sheet.region("List-item"):
                base = self.y + 0.72 * setting.font.size * setting.leading
                if bullet in ("disc", "square"):
                    self._dot(base, setting.font, bullet)
                else:
                    self.sheet.text(self.x + indent - 6, base, sign, replace(setting.font), align="right")
                inner.set(text, setting, None)
            self.y = inner.y + 0.22 * setting.font.size

    def _dot(self, base: float, font: Font, bullet: str) -> None:
        size = 0.36 * font.size
        x, y = self.x + 3, base - 0.46 * font.size
        draw = self.sheet.oval if bullet == "disc" else self.sheet.rect
        draw((x, y, x + size, y + size), fill=font.ink, edge=None)
