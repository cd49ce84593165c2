"""Display formulas built from fractions, roots, sums and indices, centred in a column with a number."""

import random
from collections.abc import Callable

from distildoc.data.corpus.flow import Column
from distildoc.data.corpus.fonts import Font, family
from distildoc.data.corpus.sheet import Sheet

_LETTERS = "abcdkmnpqrtuvxyzABCFGHKLMNPQRST"


class _Setter:
    """Sets a formula from left to right on a baseline."""

    def __init__(self, sheet: Sheet, x: float, y: float, size: float, rng: random.Random) -> None:
        self.sheet, self.x, self.y, self.size, self.rng = sheet, x, y, size, rng
        self.roman = Font(family("times").regular, size, sheet.look.ink)
        self.slanted = Font(family("times").italic, size, sheet.look.ink)

    def put(self, text: str, font: Font | None = None, rise: float = 0.0) -> None:
        """A symbol on the baseline, raised by `rise` points."""
        chosen = font or self.roman
        self.x += self.sheet.text(self.x, self.y - rise, text, chosen)

    def variable(self) -> None:
        """A letter, with an index or a power on some."""
        self.put(self.rng.choice(_LETTERS), self.slanted)
        kind = self.rng.random()
        if kind < 0.4:
            self.put(self.rng.choice("0123ijnk"), self.slanted.at(0.68 * self.size), -0.18 * self.size)
        elif kind < 0.6:
            self.put(self.rng.choice("23n"), self.roman.at(0.68 * self.size), 0.38 * self.size)

    def operator(self, signs: str = "+-") -> None:
        """A sign with space around it."""
        self.x += 0.22 * self.size
        self.put(self.rng.choice(signs))
        self.x += 0.22 * self.size

    def terms(self, count: int) -> None:
        """Variables joined by plus and minus."""
        for number in range(count):
            if number:
                self.operator()
            if self.rng.random() < 0.3:
                self.put(str(self.rng.randint(2, 9)))
            self.variable()

    def fraction(self) -> None:
        """A fraction of two short sums."""
        start, base = self.x, self.y
        self.y = base - 0.72 * self.size
        self.terms(self.rng.randint(1, 3))
        end = self.x
        self.x, self.y = start, base + 0.72 * self.size
        self.terms(self.rng.randint(1, 2))
        end = max(end, self.x)
        self.x, self.y = end + 2, base
        line = base - 0.28 * self.size
        self.sheet.rule(start - 1, line, end + 1, line, thick=0.6)

    def big_sum(self) -> None:
        """A summation sign with its limits, drawn as a line."""
        size, x, y = self.size, self.x + 2, self.y
        points = [
            (0.75, -0.75),
            (0.7, -0.95),
            (0.0, -0.95),
            (0.42, -0.32),
            (0.0, 0.32),
            (0.72, 0.32),
            (0.78, 0.1),
        ]
        self.sheet.shape(
            [(x + px * size, y + py * size) for px, py in points],
            fill=None,
            edge=self.sheet.look.ink,
            thick=0.9,
        )
        self.sheet.text(x, y + 1.0 * size, "i = 1", self.slanted.at(0.6 * size))
        self.sheet.text(x + 0.25 * size, y - 1.12 * size, "n", self.slanted.at(0.6 * size))
        self.x += 1.5 * size

    def root(self) -> None:
        """A square root over a short sum."""
        size, start = self.size, self.x
        self.x += 0.65 * size
        self.terms(self.rng.randint(1, 2))
        points = [
            (start, self.y - 0.3 * size),
            (start + 0.2 * size, self.y + 0.1 * size),
            (start + 0.5 * size, self.y - 0.95 * size),
            (self.x, self.y - 0.95 * size),
        ]
        self.sheet.shape(points, fill=None, edge=self.sheet.look.ink, thick=0.7)


def formula(column: Column, number: int, rng: random.Random) -> bool:
    """Set a display formula with its number at the right edge; say whether it fitted."""
    sheet, size = column.sheet, column.sheet.look.size * 1.05
    if column.room < 4.5 * size:
        return False
    base = column.y + 2.0 * size
    with sheet.region("Formula"):
        setter = _Setter(sheet, column.x + rng.uniform(0.08, 0.2) * column.width, base, size, rng)
        setter.variable()
        setter.operator("=")
        pieces: list[Callable[[], None]] = [setter.fraction, setter.root, lambda: setter.terms(2)]
        if rng.random() < 0.45:
            setter.big_sum()
        rng.shuffle(pieces)
        for place, piece in enumerate(pieces[: 1 if column.width < 200 else 2]):
            if place:
                setter.operator()
            piece()
        sheet.text(column.x + column.width, base, f"({number})", setter.roman, align="right")
    column.y = base + 1.7 * size
    return True
