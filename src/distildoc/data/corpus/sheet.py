"""A page being typeset: a PDF canvas that remembers the words and the layout regions drawn on it.

Coordinates are points from the top left corner, y downwards, so a page reads as it is written. Everything
drawn inside `with sheet.region(kind)` belongs to that region, whose box is the hull of it.
"""

import io
import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from distildoc.data.corpus.fonts import BLACK, Font, Ink, word_extent
from distildoc.data.corpus.look import Look

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in points, y downwards


@dataclass(frozen=True)
class Word:
    """A word and its box in points."""

    text: str
    box: Box


@dataclass(frozen=True)
class Region:
    """A layout region: its DocLayNet class and its box in points."""

    kind: str
    box: Box


@dataclass(frozen=True)
class _Turn:
    """A rotation about a point of the page, for stamps and tilted notes; angle in radians, anticlockwise."""

    x: float
    y: float
    angle_rad: float

    def hull(self, box: Box) -> Box:
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        corners = [(x - self.x, y - self.y) for x in box[::2] for y in box[1::2]]
        xs = [self.x + c * x + s * y for x, y in corners]
        ys = [self.y - s * x + c * y for x, y in corners]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass
class _Hull:
    """The running bounding box of a region being drawn."""

    boxes: list[Box] = field(default_factory=list)

    def box(self) -> Box | None:
        if not self.boxes:
            return None
        x0, y0, x1, y1 = zip(*self.boxes, strict=True)
        return min(x0), min(y0), max(x1), max(y1)


class Sheet:
    """One page: drawing verbs over a reportlab canvas, with a record of words, regions and facts."""

    def __init__(self, size_pt: tuple[float, float], look: Look, rng: random.Random) -> None:
        self.width, self.height = size_pt
        self.look = look
        self.rng = rng
        self.words: list[Word] = []
        self.regions: list[Region] = []
        self.facts: dict[str, str] = {}
        self._buffer = io.BytesIO()
        self.canvas = Canvas(self._buffer, pagesize=size_pt, invariant=1, pageCompression=0)
        self._open: list[_Hull] = []
        self._turn: _Turn | None = None

    def pdf(self) -> bytes:
        """Close the page and return the PDF; the sheet cannot be drawn on afterwards."""
        self.canvas.showPage()
        self.canvas.save()
        return self._buffer.getvalue()

    @contextmanager
    def region(self, kind: str) -> Iterator[None]:
        """Record what is drawn inside as one region; of nested regions only the outer one is kept."""
        hull = _Hull()
        self._open.append(hull)
        try:
            yield
        finally:
            self._open.pop()
        box = hull.box()
        if box is None:
            return
        if self._open:
            self._open[-1].boxes.append(box)
        else:
            pad = 0.0 if kind == "Picture" else 1.2  # points; letters overshoot their nominal heights
            self.regions.append(Region(kind, (box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad)))

    @contextmanager
    def turned(self, x: float, y: float, angle_deg: float) -> Iterator[None]:
        """Draw the inside rotated about (x, y), anticlockwise."""
        self.canvas.saveState()
        self.canvas.translate(x, self.height - y)
        self.canvas.rotate(angle_deg)
        self.canvas.translate(-x, y - self.height)
        self._turn = _Turn(x, y, math.radians(angle_deg))
        try:
            yield
        finally:
            self._turn = None
            self.canvas.restoreState()

    def mark(self, box: Box) -> None:
        """Count a box of ink into the region that is being drawn."""
        if self._open:
            self._open[-1].boxes.append(self._turn.hull(box) if self._turn else box)

    def word(self, text: str, box: Box) -> None:
        """Record a word drawn by other means, such as pen strokes."""
        turned = self._turn.hull(box) if self._turn else box
        self.words.append(Word(text, turned))
        self.mark(box)

    def text(self, x: float, y: float, string: str, font: Font, *, align: str = "left", spread: float = 0.0) -> float:
        """Draw one line with its baseline at y and return its width.

        x is the left end, the right end or the middle, as `align` says (left, right, center); `spread` widens
        each space, in points.
        """
        words = string.split(" ")
        widths = [font.width(word) for word in words]
        step = font.width(" ") + spread
        width = sum(widths) + step * (len(words) - 1)
        left = x - width if align == "right" else x - width / 2 if align == "center" else x
        self._draw_line(left, y, string, font, spread)
        at = left
        for word, wide in zip(words, widths, strict=True):
            if word:
                up, down = word_extent(font.face, word)
                self.word(word, (at, y - up * font.size, at + wide - font.tracking, y + down * font.size))
            at += wide + step
        return width

    def _draw_line(self, x: float, y: float, string: str, font: Font, spread: float) -> None:
        line = self.canvas.beginText(x, self.height - y)
        line.setFont(font.face, font.size)
        line.setFillColorRGB(*font.ink)
        # word and letter spacing outlive a text object, so they are set on every line that may follow one
        line.setWordSpace(spread)
        line.setCharSpace(font.tracking)
        line.textOut(string)
        self.canvas.drawText(line)

    def rule(self, x0: float, y0: float, x1: float, y1: float, *, thick: float = 0.6, ink: Ink = BLACK) -> None:
        """A straight line, `thick` points wide."""
        self.canvas.setStrokeColorRGB(*ink)
        self.canvas.setLineWidth(thick)
        self.canvas.line(x0, self.height - y0, x1, self.height - y1)
        self.mark((min(x0, x1), min(y0, y1) - thick / 2, max(x0, x1), max(y0, y1) + thick / 2))

    def _ink(self, fill: Ink | None, edge: Ink | None, thick: float) -> None:
        if fill:
            self.canvas.setFillColorRGB(*fill)
        if edge:
            self.canvas.setStrokeColorRGB(*edge)
            self.canvas.setLineWidth(thick)

    def rect(self, box: Box, *, fill: Ink | None = None, edge: Ink | None = BLACK, thick: float = 0.6) -> None:
        """A rectangle with an optional fill and edge."""
        x0, y0, x1, y1 = box
        self._ink(fill, edge, thick)
        self.canvas.rect(
            x0, self.height - y1, x1 - x0, y1 - y0, stroke=int(edge is not None), fill=int(fill is not None)
        )
        self.mark(box)

    def oval(self, box: Box, *, fill: Ink | None = None, edge: Ink | None = BLACK, thick: float = 0.6) -> None:
        """An ellipse inscribed in the box."""
        x0, y0, x1, y1 = box
        self._ink(fill, edge, thick)
        self.canvas.ellipse(
            x0,
            self.height - y1,
            x1,
            self.height - y0,
            stroke=int(edge is not None),
            fill=int(fill is not None),
        )
        self.mark(box)

    def shape(
        self,
        points: Sequence[tuple[float, float]],
        *,
        fill: Ink | None,
        edge: Ink | None = None,
        thick: float = 0.8,
    ) -> None:
        """A polygon when filled, an open line through the points otherwise."""
        path = self.canvas.beginPath()
        path.moveTo(points[0][0], self.height - points[0][1])
        for x, y in points[1:]:
            path.lineTo(x, self.height - y)
        if fill:
            path.close()
            self.canvas.setFillColorRGB(*fill)
        if edge:
            self.canvas.setStrokeColorRGB(*edge)
            self.canvas.setLineWidth(thick)
        self.canvas.drawPath(path, stroke=int(edge is not None), fill=int(fill is not None))
        xs, ys = zip(*points, strict=True)
        self.mark((min(xs), min(ys), max(xs), max(ys)))

    def image(self, jpeg: bytes, box: Box) -> None:
        """Place an encoded JPEG so that it fills the box."""
        x0, y0, x1, y1 = box
        self.canvas.drawImage(ImageReader(io.BytesIO(jpeg)), x0, self.height - y1, x1 - x0, y1 - y0)
        self.mark(box)

    def fact(self, name: str, value: str) -> str:
        """Remember a fact that is printed on the page, and return its value for printing."""
        self.facts[name] = value
        return value
