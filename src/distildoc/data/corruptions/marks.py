"""What lands on a page after it was printed: rubber stamps, pen strokes, blots.

Ink multiplies: a mark darkens what is under it and hides nothing that is black already.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from distildoc.data.corruptions.planes import LUMA, Pixels, Plane, Rng, as_bytes, over, spread

WORDS = ("RECEIVED", "CONFIDENTIAL", "COPY", "APPROVED", "FILED", "PAID", "DRAFT", "URGENT")
INKS = ((196, 30, 40), (32, 60, 160), (110, 40, 130), (20, 110, 70), (40, 40, 44))  # red, blue, violet, green, black
SPILLS = ((40, 44, 90), (112, 76, 44), (40, 40, 44))  # fountain pen, coffee, black
COUNT = (1, 2, 4, 6, 9)  # marks on a page
SIDE = (0.26, 0.30, 0.34, 0.39, 0.45)  # of a mark, as a share of the longest side of the page
STRENGTH = (0.6, 0.72, 0.84, 0.93, 1.0)  # of the ink
KINDS = ("word", "round", "pen", "blot")
FINE = 2  # a mark is drawn at so many times its size, for smooth edges


@dataclass(frozen=True)
class Mark:
    """One mark: draws in 0..1 for what and where it is, and a generator of its own for its shape."""

    kind: str
    x: float
    y: float
    turn: float
    ink: float
    shape: Rng


def stamps(pixels: Pixels, severity: int, rng: Rng) -> Pixels:
    """More, larger and darker marks with every severity; the marks of a milder one stay where they are."""
    level = severity - 1
    side = max(8, round(SIDE[level] * max(pixels.shape[:2])))
    page = pixels.astype(np.float32)
    for mark in _marks(rng)[: COUNT[level]]:
        _press(page, _coverage(mark, side) * np.float32(STRENGTH[level]), mark)
    return as_bytes(page)


def _marks(rng: Rng) -> list[Mark]:
    """The first is always a stamp, or the mildest page might show a dot of ink and no more."""
    found = []
    for number in range(COUNT[-1]):
        kind, x, y, turn, ink = rng.random(5).tolist()
        name = KINDS[int(kind * (2 if number == 0 else len(KINDS)))]
        found.append(Mark(name, x, y, turn, ink, np.random.default_rng(int(rng.integers(2**63)))))
    return found


def _press(page: Plane, coverage: Plane, mark: Mark) -> None:
    """Darken the page in place under a mark; most of it lies on the page."""
    side = len(coverage)
    height, width = page.shape[:2]
    top, left = round(mark.y * height - side / 2), round(mark.x * width - side / 2)
    top, left = (min(max(at, -side // 4), most - 3 * side // 4) for at, most in ((top, height), (left, width)))
    rows, columns = (slice(max(0, at), min(most, at + side)) for at, most in ((top, height), (left, width)))
    cut = coverage[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    inks = SPILLS if mark.kind == "blot" else INKS
    ink = np.array(inks[int(mark.ink * len(inks))], np.float32) / 255
    left_over = 1 - ink if page.ndim == 3 else np.float32(1 - ink @ np.array(LUMA, np.float32))
    page[rows, columns] *= 1 - over(cut, page) * left_over


def _coverage(mark: Mark, side: int) -> Plane:
    """How much ink a mark leaves, [side, side] in 0..1: its drawing, turned, and thinner in patches."""
    sheet = Image.new("L", (side * FINE, side * FINE))
    {"word": _word, "round": _round, "pen": _pen, "blot": _blot}[mark.kind](sheet, mark.shape)
    turned = sheet.rotate((mark.turn - 0.5) * 50, Image.Resampling.BILINEAR).resize((side, side), Image.Resampling.BOX)
    patches = spread(mark.shape.random((14, 14), dtype=np.float32), (side, side))
    thin = 0.55 if mark.kind in ("word", "round") else 0.15
    return np.asarray(turned, dtype=np.float32) / 255 * (1 - thin * patches)


def _word(sheet: Image.Image, rng: Rng) -> None:
    """A word in a double frame."""
    pen, side = ImageDraw.Draw(sheet), sheet.width
    word = WORDS[int(rng.integers(len(WORDS)))]
    font = _font(word, 0.84 * side)
    half = min(0.5 * font.size * 1.7, 0.32 * side)
    for inset, width in ((0.0, 0.016), (0.028, 0.007)):
        box = (inset * side, side / 2 - half + inset * side, (1 - inset) * side, side / 2 + half - inset * side)
        pen.rectangle(box, outline=255, width=max(1, round(width * side)))
    pen.text((side / 2, side / 2), word, fill=255, font=font, anchor="mm")


def _round(sheet: Image.Image, rng: Rng) -> None:
    """Two rings around a word and a date."""
    pen, side = ImageDraw.Draw(sheet), sheet.width
    for inset, width in ((0.12, 0.016), (0.2, 0.008)):
        box = (inset * side, inset * side, (1 - inset) * side, (1 - inset) * side)
        pen.ellipse(box, outline=255, width=max(1, round(width * side)))
    word = WORDS[int(rng.integers(len(WORDS)))]
    date = f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(1960, 2025)}"
    for text, y in ((word, 0.42), (date, 0.58)):
        pen.text((side / 2, y * side), text, fill=255, font=_font(text, 0.52 * side), anchor="mm")


def _pen(sheet: Image.Image, rng: Rng) -> None:
    """A stroke that loops along, as a signature does."""
    pen, side = ImageDraw.Draw(sheet), sheet.width
    time = np.linspace(0, 2 * math.pi * rng.uniform(3, 6), 240)
    height, slant, drift = rng.uniform(0.08, 0.2), rng.uniform(-0.15, 0.15), rng.uniform(0.3, 0.7)
    x = 0.1 + 0.8 * time / time[-1] + 0.06 * np.sin(time)
    y = 0.5 + height * np.sin(time + drift) * np.cos(drift * time) + slant * (time / time[-1] - 0.5)
    points = np.stack([x, y], axis=1) * side
    pen.line([(float(a), float(b)) for a, b in points], fill=255, width=max(1, round(0.02 * side)), joint="curve")


def _blot(sheet: Image.Image, rng: Rng) -> None:
    """A spill with splashes around it."""
    pen, side = ImageDraw.Draw(sheet), sheet.width
    for number in range(14):
        angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.0, 0.12 if number < 6 else 0.4)
        radius = side * (rng.uniform(0.06, 0.13) if number < 6 else rng.uniform(0.005, 0.025))
        x, y = side * (0.5 + far * math.cos(angle)), side * (0.5 + far * math.sin(angle))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def _font(text: str, width: float) -> ImageFont.FreeTypeFont:
    """Pillow's own font, as large as fits the width, in pixels."""
    wide = _default_font(100).getlength(text)
    return _default_font(max(4.0, 100 * width / wide))


def _default_font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise ImportError("corruption 'stamps' writes words, which needs a Pillow with FreeType; install its wheel")
    return font
