"""Small things on pages: logos, stamps, tick boxes, bar codes, form fields."""

import math
import random

from distildoc.data.corpus.fonts import Font, Ink, family
from distildoc.data.corpus.sheet import Box, Sheet

STAMPS = ("RECEIVED", "CONFIDENTIAL", "COPY", "APPROVED", "FILED", "PAID", "DRAFT", "URGENT")


def logo(sheet: Sheet, x: float, y: float, size: float, rng: random.Random) -> None:
    """An abstract emblem of `size` points, recorded as a Picture."""
    ink, tint = sheet.look.accent, sheet.look.tint
    with sheet.region("Picture"):
        kind = rng.randrange(4)
        if kind == 0:
            sheet.oval((x, y, x + size, y + size), fill=ink, edge=None)
            sheet.shape(
                [
                    (x + 0.5 * size, y + 0.15 * size),
                    (x + 0.82 * size, y + 0.75 * size),
                    (x + 0.18 * size, y + 0.75 * size),
                ],
                fill=tint,
            )
        elif kind == 1:
            for bar in range(3):
                top = y + size * (0.6 - 0.3 * bar)
                sheet.rect((x + bar * size / 3, top, x + bar * size / 3 + 0.24 * size, y + size), fill=ink, edge=None)
        elif kind == 2:
            sheet.rect((x, y, x + size, y + size), fill=ink, edge=None)
            sheet.oval((x + 0.2 * size, y + 0.2 * size, x + 0.8 * size, y + 0.8 * size), fill=tint, edge=None)
            sheet.rect((x + 0.5 * size, y + 0.2 * size, x + 0.8 * size, y + 0.8 * size), fill=ink, edge=None)
        else:
            points = rng.choice((5, 6, 8))
            ring = [
                (x + size / 2 + size * (0.5 if k % 2 == 0 else 0.28) * math.sin(math.pi * k / points),
                 y + size / 2 - size * (0.5 if k % 2 == 0 else 0.28) * math.cos(math.pi * k / points))
                for k in range(2 * points)
            ]  # fmt: skip
            sheet.shape(ring, fill=ink)


def stamp(sheet: Sheet, x: float, y: float, date: str, rng: random.Random) -> str:
    """A tilted rubber stamp centred at (x, y), with a date on some; recorded as a Picture. Returns its word."""
    word = rng.choice(STAMPS)
    ink: Ink = (0.65, 0.1, 0.12) if sheet.look.shifted else (0.28, 0.28, 0.32)
    font = Font(family("helvetica").bold, rng.uniform(15, 22), ink, 1.5)
    small = Font(family("courier").bold, 8.5, ink)
    half = font.width(word) / 2 + 8
    dated = rng.random() < 0.6
    with sheet.turned(x, y, rng.uniform(-16, 16)), sheet.region("Picture"):
        low = y + (16 if dated else 6)
        sheet.rect((x - half, y - 22, x + half, low), edge=ink, thick=1.8)
        if rng.random() < 0.5:
            sheet.rect((x - half + 3, y - 19, x + half - 3, low - 3), edge=ink, thick=0.7)
        sheet.text(x, y - 2, word, font, align="center")
        if dated:
            sheet.text(x, y + 9, date, small, align="center")
    return word


def tick_box(sheet: Sheet, x: float, y: float, size: float, *, ticked: bool) -> None:
    """A square box with its lower left corner at (x, y), crossed by hand when ticked."""
    sheet.rect((x, y - size, x + size, y), thick=0.7)
    if ticked:
        ink = (0.08, 0.1, 0.4)
        sheet.rule(x - 1, y - size - 1.5, x + size + 1, y + 0.5, thick=1.2, ink=ink)
        sheet.rule(x + size + 1.5, y - size - 1, x - 0.5, y + 1, thick=1.2, ink=ink)


def bar_code(sheet: Sheet, box: Box, rng: random.Random) -> None:
    """Bars of random widths that fill the box, recorded as a Picture."""
    x0, y0, x1, y1 = box
    with sheet.region("Picture"):
        x = x0
        while x < x1 - 3:
            wide = rng.choice((0.8, 0.8, 1.5, 2.3))
            sheet.rect((x, y0, x + wide, y1), fill=(0, 0, 0), edge=None)
            x += wide + rng.choice((0.8, 1.4, 2.2))


def page_number(sheet: Sheet, left: str, right: str, *, y: float) -> None:
    """A page footer: text at the left, a number at the right, or one of them in the middle."""
    font = sheet.look.label(0.78)
    margin = 56.0
    if left:
        with sheet.region("Page-footer"):
            sheet.text(margin, y, left, font)
    if right:
        with sheet.region("Page-footer"):
            if left:
                sheet.text(sheet.width - margin, y, right, font, align="right")
            else:
                sheet.text(sheet.width / 2, y, right, font, align="center")


def running_head(sheet: Sheet, left: str, right: str, *, ruled: bool) -> None:
    """A page header at the top edge, with a rule under it on some pages."""
    font = sheet.look.label(0.78)
    margin = 56.0
    for text, x, align in ((left, margin, "left"), (right, sheet.width - margin, "right")):
        if text:
            with sheet.region("Page-header"):
                sheet.text(x, 38, text, font, align=align)
    if ruled:
        sheet.rule(margin, 43, sheet.width - margin, 43, thick=0.5, ink=sheet.look.accent)
