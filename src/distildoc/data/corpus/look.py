"""The look of a page: which fonts, inks and sizes its template draws with.

The plain look is the office of typewriters and laser printers; the shifted one is today's: other families,
colour, larger type. Only the look and the template differ between the two, never the class.
"""

import random
from dataclasses import dataclass

from distildoc.data.corpus.fonts import BLACK, Family, Font, Ink, family


@dataclass(frozen=True)
class Look:
    """Fonts and inks of one page; `size` is the body size in points."""

    body: Family
    heads: Family
    size: float
    ink: Ink
    accent: Ink
    tint: Ink
    shifted: bool

    def text(self, scale: float = 1.0) -> Font:
        """Body text, its size multiplied by scale."""
        return Font(self.body.regular, self.size * scale, self.ink)

    def bold(self, scale: float = 1.0) -> Font:
        """Bold body text."""
        return Font(self.body.bold, self.size * scale, self.ink)

    def italic(self, scale: float = 1.0) -> Font:
        """Italic body text."""
        return Font(self.body.italic, self.size * scale, self.ink)

    def head(self, scale: float = 1.0) -> Font:
        """Headings, in the heading family and the accent ink."""
        return Font(self.heads.bold, self.size * scale, self.accent)

    def label(self, scale: float = 0.85) -> Font:
        """Small print in the heading family: labels, running heads, axis names."""
        return Font(self.heads.regular, self.size * scale, self.ink)


_PLAIN_PAIRS = (
    ("times", "times"),
    ("times", "helvetica"),
    ("helvetica", "helvetica"),
    ("helvetica", "times"),
    ("courier", "courier"),
    ("courier", "helvetica"),
    ("caladea", "caladea"),
    ("source_serif", "helvetica"),
    ("vera", "vera"),
)
_SHIFTED_PAIRS = (
    ("roboto", "roboto"),
    ("open_sans", "manrope"),
    ("manrope", "manrope"),
    ("source_sans", "source_sans"),
    ("roboto", "fredoka"),
    ("source_sans", "manrope"),
    ("open_sans", "open_sans"),
)
_TYPEWRITTEN = {
    "letter",
    "memo",
    "email",
    "form",
    "specification",
    "file_folder",
    "budget",
    "scientific_report",
}
_PALETTES: tuple[tuple[Ink, Ink], ...] = (
    ((0.10, 0.33, 0.62), (0.90, 0.94, 0.99)),
    ((0.72, 0.16, 0.18), (0.99, 0.92, 0.91)),
    ((0.05, 0.45, 0.36), (0.89, 0.97, 0.94)),
    ((0.42, 0.20, 0.56), (0.95, 0.91, 0.98)),
    ((0.80, 0.40, 0.05), (1.00, 0.95, 0.88)),
    ((0.06, 0.42, 0.55), (0.88, 0.96, 0.98)),
)


def plain_look(kind: str, rng: random.Random) -> Look:
    """A look of the plain corpus for a page class; typewriter faces only where they were used."""
    pairs = [pair for pair in _PLAIN_PAIRS if pair[0] != "courier" or kind in _TYPEWRITTEN]
    body, heads = rng.choice(pairs)
    size = rng.uniform(9.6, 11.2) + (0.4 if body in ("times", "caladea") else 0.0)
    if body in ("courier", "vera"):
        size = rng.uniform(9.2, 10.2)
    shade = rng.choice((0.0, 0.0, 0.08, 0.16))
    tint = rng.uniform(0.84, 0.93)
    accent = (shade + 0.05,) * 3 if rng.random() < 0.8 else rng.choice(_PALETTES)[0]
    return Look(family(body), family(heads), size, (shade,) * 3, accent, (tint,) * 3, shifted=False)


def shifted_look(rng: random.Random) -> Look:
    """A look of the shifted twin: other families, a colour palette."""
    body, heads = rng.choice(_SHIFTED_PAIRS)
    accent, tint = rng.choice(_PALETTES)
    ink = (0.13, 0.14, 0.17) if rng.random() < 0.6 else BLACK
    return Look(family(body), family(heads), rng.uniform(9.4, 11.0), ink, accent, tint, shifted=True)
