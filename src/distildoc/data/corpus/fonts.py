"""Fonts of the corpus: families, their metrics, and cached word widths.

The three families every PDF reader has (Helvetica, Times, Courier) cost nothing to embed; the others come
from small font packages (OFL or Apache-2.0) and are registered the first time a page asks for one.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

try:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
except ImportError as error:
    raise ImportError("the page generator needs reportlab: install distildoc[corpus]") from error

Ink = tuple[float, float, float]  # red, green, blue in 0..1
BLACK: Ink = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Font:
    """One face at one size (points), in one ink; `tracking` is extra space after each letter, in points."""

    face: str
    size: float
    ink: Ink = BLACK
    tracking: float = 0.0

    def at(self, size: float) -> "Font":
        """The same face and ink at another size in points."""
        return Font(self.face, size, self.ink, self.tracking)

    def inked(self, ink: Ink) -> "Font":
        """The same face and size in another ink."""
        return Font(self.face, self.size, ink, self.tracking)

    def width(self, string: str) -> float:
        """Width of a string in points, tracking included."""
        return unit_width(self.face, string) * self.size + self.tracking * len(string)


@dataclass(frozen=True)
class Family:
    """Four faces that belong together, by the names under which they are registered."""

    regular: str
    bold: str
    italic: str
    bold_italic: str


# family: (package, regular, bold, italic, bold italic); a package without a cut repeats its nearest one
_PACKAGED: dict[str, tuple[str, str, str, str, str]] = {
    "vera": ("reportlab/fonts", "Vera", "VeraBd", "VeraIt", "VeraBI"),
    "caladea": (
        "font_caladea/files",
        "Caladea-Regular",
        "Caladea-Bold",
        "Caladea-Italic",
        "Caladea-BoldItalic",
    ),
    "source_serif": (
        "font_source_serif_pro/files",
        "SourceSerifPro-Regular",
        "SourceSerifPro-Bold",
        "SourceSerifPro-It",
        "SourceSerifPro-SemiboldIt",
    ),
    "source_sans": (
        "font_source_sans_pro/files",
        "SourceSansPro-Regular",
        "SourceSansPro-Bold",
        "SourceSansPro-It",
        "SourceSansPro-BoldIt",
    ),
    "roboto": ("font_roboto/files", "Roboto-Regular", "Roboto-Bold", "Roboto-Italic", "Roboto-BoldItalic"),
    "manrope": (
        "font_manrope/files",
        "Manrope-Regular",
        "Manrope-Bold",
        "Manrope-Light",
        "Manrope-ExtraBold",
    ),
    "open_sans": (
        "ttf_opensans/ttf",
        "OpenSans-Regular",
        "OpenSans-Bold",
        "OpenSans-Italic",
        "OpenSans-BoldItalic",
    ),
    "fredoka": ("font_fredoka_one/files",) + ("FredokaOne-Regular",) * 4,
    "amatic": (
        "font_amatic_sc/files",
        "AmaticSC-Regular",
        "AmaticSC-Bold",
        "AmaticSC-Regular",
        "AmaticSC-Bold",
    ),
    "intuitive": ("font_intuitive/files",) + ("Intuitive",) * 4,
}
_BUILT_IN: dict[str, Family] = {
    "helvetica": Family("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Helvetica-BoldOblique"),
    "times": Family("Times-Roman", "Times-Bold", "Times-Italic", "Times-BoldItalic"),
    "courier": Family("Courier", "Courier-Bold", "Courier-Oblique", "Courier-BoldOblique"),
}
# (ascender, x-height, descender) of the built-in faces, fractions of the size, from Adobe's metric files
_BUILT_IN_HEIGHTS = {
    "Helvetica": (0.72, 0.53, 0.21),
    "Times": (0.68, 0.46, 0.22),
    "Courier": (0.61, 0.44, 0.16),
}


@cache
def family(name: str) -> Family:
    """The family of that name, registered on first use.

    Raises ImportError if its font package is missing.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    folder, *faces = _PACKAGED[name]
    package, _, inside = folder.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"the page generator needs the font package {package}: install distildoc[corpus]")
    root = Path(spec.submodule_search_locations[0]) / inside
    for face in dict.fromkeys(faces):
        pdfmetrics.registerFont(TTFont(face, str(root / f"{face}.ttf")))
    return Family(*faces)


@lru_cache(maxsize=200_000)
def unit_width(face: str, string: str) -> float:
    """Width of a string at size 1."""
    return float(pdfmetrics.stringWidth(string, face, 1000)) / 1000.0


@cache
def heights(face: str) -> tuple[float, float, float]:
    """Ascender, x-height and descender depth of a face as fractions of its size."""
    stem = face.split("-")[0]
    if stem in _BUILT_IN_HEIGHTS:
        return _BUILT_IN_HEIGHTS[stem]
    shape = pdfmetrics.getFont(face).face
    ascender = min(shape.capHeight, shape.ascent) / 1000.0 + 0.02
    return ascender, 0.74 * ascender, 0.3 * ascender


_TALL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789bdfhklt!?#$%&()/@'\"[]|*ij")
_DEEP = frozenset("gjpqy,;()[]|Q$/@")


@lru_cache(maxsize=200_000)
def word_extent(face: str, word: str) -> tuple[float, float]:
    """How far a word's ink reaches above and below its baseline, at size 1."""
    ascender, x_height, descender = heights(face)
    letters = set(word)
    up = ascender if letters & _TALL else x_height
    down = descender if letters & _DEEP else 0.02
    return up, down
