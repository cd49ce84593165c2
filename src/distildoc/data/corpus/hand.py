"""Handwriting: a pen that writes words as curved strokes, or sets a hand-drawn font unevenly.

A pen is one person's hand: its slant, widths and letter shapes are drawn once per page, and each letter it
writes wobbles a little. Letters are bent with Catmull-Rom curves through the points of `strokes`.
"""

import random
from dataclasses import dataclass
from typing import Any

from distildoc.data.corpus.fonts import Font, Ink, family, word_extent
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.strokes import Stroke, strokes_of

GRID = 7.0  # grid units from baseline to ascender; a pen's size is that height in points divided by 0.75
VARIANTS = 3  # shapes a pen has for each letter


@dataclass(frozen=True)
class _Shape:
    """One variant of a letter: a path in grid units and its advance."""

    path: Any  # reportlab's path object, which has no public type
    advance: float


class Pen:
    """One person's handwriting in strokes; `size` is in points, like a font's."""

    def __init__(self, sheet: Sheet, size: float, ink: Ink, rng: random.Random) -> None:
        self.sheet = sheet
        self.size = size
        self.ink = ink
        self.rng = rng
        self.slant = rng.uniform(-0.05, 0.32)
        self.stretch = rng.uniform(0.72, 1.0)
        self.thick = rng.uniform(0.75, 1.35) / (0.75 * size / GRID)
        self.loose = rng.uniform(0.9, 1.7)
        self._bias: dict[str, list[tuple[float, float]]] = {}
        self._shapes: dict[tuple[str, int], _Shape] = {}

    def width(self, string: str) -> float:
        """Width of a string in points."""
        return sum(self._shape(letter, 0).advance for letter in string) * self._scale * self.stretch

    @property
    def _scale(self) -> float:
        return 0.75 * self.size / GRID

    def write(self, x: float, y: float, string: str, *, wobble: float = 1.0) -> float:
        """Write one line from x on the baseline y (points); return its width."""
        at, drift = x, 0.0
        for word in string.split(" "):
            drift = 0.7 * drift + self.rng.gauss(0.0, 0.35) * wobble
            wide = self._word(at, y + drift, word, wobble)
            at += wide + 0.34 * self.size * self.rng.uniform(0.85, 1.25)
        return at - x

    def _word(self, x: float, y: float, word: str, wobble: float) -> float:
        canvas, scale, at = self.sheet.canvas, self._scale, x
        canvas.setStrokeColorRGB(*self.ink)
        canvas.setLineCap(1)
        canvas.setLineJoin(1)
        for letter in word:
            shape = self._shape(letter, self.rng.randrange(VARIANTS))
            if shape.path is not None:
                lift = self.rng.gauss(0.0, 0.14) * wobble
                grow = scale * self.rng.uniform(0.95, 1.06)
                canvas.saveState()
                canvas.transform(grow * self.stretch, 0, grow * self.slant, grow, at, self.sheet.height - y + lift)
                canvas.setLineWidth(self.thick)
                canvas.drawPath(shape.path, stroke=1, fill=0)
                canvas.restoreState()
            at += shape.advance * scale * self.stretch
        if word:
            up, down = word_extent("Helvetica", word)
            tilt = self.slant * 0.4 * self.size
            self.sheet.word(word, (x - 0.5, y - 1.06 * up * self.size, at + tilt, y + 1.5 * down * self.size + 0.5))
        return at - x

    def _shape(self, letter: str, variant: int) -> _Shape:
        key = (letter, variant)
        if key not in self._shapes:
            self._shapes[key] = self._bend(letter)
        return self._shapes[key]

    def _bend(self, letter: str) -> _Shape:
        strokes = strokes_of(letter)
        if not strokes:
            return _Shape(None, 4.0)
        rng = self.rng
        count = sum(len(stroke) for stroke in strokes)
        if letter not in self._bias:  # what makes this hand's letter its own
            self._bias[letter] = [(rng.gauss(0, 0.3), rng.gauss(0, 0.26)) for _ in range(count)]
        path = self.sheet.canvas.beginPath()
        bias = iter(self._bias[letter])
        for stroke in strokes:
            moved = []
            for x, y in stroke:
                dx, dy = next(bias)
                moved.append((x + dx + rng.gauss(0, 0.1), y + dy + rng.gauss(0, 0.1)))
            _curve(path, tuple(moved))
        right = max(x for stroke in strokes for x, _ in stroke)
        return _Shape(path, right + self.loose)


def _curve(path: Any, points: Stroke) -> None:
    """Append a Catmull-Rom curve through the points as Bezier segments."""
    path.moveTo(*points[0])
    last = len(points) - 1
    for i in range(last):
        before, a, b, after = points[max(i - 1, 0)], points[i], points[i + 1], points[min(i + 2, last)]
        path.curveTo(
            a[0] + (b[0] - before[0]) / 6,
            a[1] + (b[1] - before[1]) / 6,
            b[0] - (after[0] - a[0]) / 6,
            b[1] - (after[1] - a[1]) / 6,
            b[0],
            b[1],
        )


class Marker:
    """Handwriting in a hand-drawn font, letters off the baseline by a little; the same verbs as `Pen`."""

    def __init__(self, sheet: Sheet, size: float, ink: Ink, rng: random.Random) -> None:
        self.sheet = sheet
        self.rng = rng
        self.size = size
        name = rng.choice(("intuitive", "amatic"))
        face = family(name).bold if name == "amatic" else family(name).regular
        self.font = Font(face, size * (1.35 if name == "amatic" else 1.0), ink)

    def width(self, string: str) -> float:
        """Width of a string in points."""
        return self.font.width(string)

    def write(self, x: float, y: float, string: str, *, wobble: float = 1.0) -> float:
        """Write one line from x on the baseline y (points); return its width."""
        at = x
        for word in string.split(" "):
            lift = self.rng.gauss(0.0, 0.6) * wobble
            font = self.font.at(self.font.size * self.rng.uniform(0.96, 1.04))
            at += self.sheet.text(at, y + lift, word, font) + font.width(" ") * self.rng.uniform(0.9, 1.3)
        return at - x


Hand = Pen | Marker


def new_hand(sheet: Sheet, size: float, ink: Ink, rng: random.Random) -> Hand:
    """A hand for this page: mostly pens, a marker now and then (more often in the shifted twin)."""
    return (
        Marker(sheet, size, ink, rng)
        if rng.random() < (0.5 if sheet.look.shifted else 0.2)
        else Pen(sheet, size, ink, rng)
    )


def signature(sheet: Sheet, x: float, y: float, rng: random.Random) -> None:
    """A scrawl of about 110 x 25 points with its baseline at y; it records no words, as nobody could read it."""
    points = _scrawl(x, y, rng)
    path = sheet.canvas.beginPath()
    _curve(path, tuple((px, sheet.height - py) for px, py in points))
    sheet.canvas.setStrokeColorRGB(0.08, 0.10, 0.35)
    sheet.canvas.setLineWidth(rng.uniform(0.8, 1.4))
    sheet.canvas.drawPath(path, stroke=1, fill=0)
    xs, ys = zip(*points, strict=True)
    sheet.mark((min(xs), min(ys), max(xs), max(ys)))


def _scrawl(x: float, y: float, rng: random.Random) -> list[tuple[float, float]]:
    """Points of a signature: a tall initial, loops that flatten out, a tail or an underline."""
    high, pitch, lean = rng.uniform(13, 26), rng.uniform(4.5, 8.5), rng.uniform(0.0, 0.5)
    points = [(x + 2, y - 2), (x + lean * high, y - high), (x + rng.uniform(2, 8), y + rng.uniform(0, 4))]
    at, low = x + rng.uniform(6, 12), rng.uniform(3, 7)
    for step in range(rng.randint(4, 9)):
        tall = high * rng.uniform(0.5, 0.9) if rng.random() < 0.22 else low * rng.uniform(0.5, 1.3)
        points += [
            (at + lean * tall, y - tall),
            (at - rng.uniform(0, 3), y - 0.5 * tall),
            (at + pitch * 0.6, y + rng.uniform(-1, 2)),
        ]
        at += pitch * rng.uniform(0.8, 1.3) * (1 + 0.06 * step)
    points.append((at + rng.uniform(10, 40), y - rng.uniform(-4, 8)))
    if rng.random() < 0.35:
        points += [
            (at + 5, y + rng.uniform(4, 7)),
            (x + rng.uniform(0, 25), y + rng.uniform(5, 8)),
            (at + 20, y + 5),
        ]
    return points
