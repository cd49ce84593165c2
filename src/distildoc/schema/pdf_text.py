"""The words that a PDF page carries, with their places on the page as it is shown.

PDFium gives characters in the order they are drawn, with blanks and line ends of its own making, and boxes in the
page's own coordinates; its mapping to device coordinates knows the page's rotation and crop box. The caller holds the
lock on PDFium.
"""

import ctypes
import logging
from collections.abc import Iterator

import pypdfium2
import pypdfium2.raw as pdfium

from distildoc.schema.pages import Box
from distildoc.schema.words import SOFT_HYPHEN, Word

MAX_CHARACTERS = 200_000  # read of one page; a dense newspaper page has 30,000
DEVICE = 1_000_000  # side of the device that places are mapped to, in its whole pixels
LINE_HYPHEN = 0x02  # what PDFium gives for a hyphen at a line end; it leaves the line end out

Corners = tuple[float, float, float, float]  # left, bottom, right, top in points

logger = logging.getLogger(__name__)


def words_of(page: pypdfium2.PdfPage) -> list[Word]:
    """Words in drawing order; those outside the visible page are left out."""
    text = page.get_textpage()
    try:
        found = [(letters, _shares(page, corners)) for letters, corners in _runs(text)]
    finally:
        text.close()
    return [Word(letters, box) for letters, box in found if box is not None]


def _runs(text: pypdfium2.PdfTextPage) -> Iterator[tuple[str, Corners]]:
    """Letters between blanks, and the corners around them; a word broken at a line end is two."""
    letters: list[int] = []
    corners: Corners | None = None
    for code, place in [*_characters(text), (ord(" "), None)]:
        blank = chr(code).isspace()
        if not blank:
            letters.append(code)
            corners = place if corners is None else corners if place is None else _around(corners, place)
        if blank or code == LINE_HYPHEN:
            if letters and corners is not None:
                yield _text(letters), corners
            letters, corners = [], None


def _characters(text: pypdfium2.PdfTextPage) -> Iterator[tuple[int, Corners | None]]:
    """UTF-16 units or code points, each with its box; None where it has none."""
    count = pdfium.FPDFText_CountChars(text)
    if count > MAX_CHARACTERS:
        logger.warning("a page with %d characters: only the first %d are read", count, MAX_CHARACTERS)
    sides = [ctypes.c_double() for _ in range(4)]
    places = [ctypes.byref(side) for side in sides]
    left, right, bottom, top = places
    for index in range(min(count, MAX_CHARACTERS)):
        code = pdfium.FPDFText_GetUnicode(text, index)
        if code == 0:
            continue  # a glyph that the font gives no meaning
        has_box = pdfium.FPDFText_GetCharBox(text, index, left, right, bottom, top)
        x0, x1, y0, y1 = (side.value for side in sides)
        yield code, (x0, y0, x1, y1) if has_box and x1 > x0 and y1 > y0 else None


def _around(first: Corners, second: Corners) -> Corners:
    left, bottom, right, top = first
    return min(left, second[0]), min(bottom, second[1]), max(right, second[2]), max(top, second[3])


def _text(letters: list[int]) -> str:
    """Also joins surrogate pairs, which PDFium gives one by one."""
    joined = "".join(SOFT_HYPHEN if code == LINE_HYPHEN else chr(code) for code in letters)
    return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _shares(page: pypdfium2.PdfPage, corners: Corners) -> Box | None:
    """The box on the page as shown, cut off at its edges; None where its middle lies outside."""
    x0, y0 = _shown(page, corners[0], corners[1])
    x1, y1 = _shown(page, corners[2], corners[3])
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    if not (0 <= (left + right) / 2 <= 1 and 0 <= (top + bottom) / 2 <= 1):
        return None
    return max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0)


def _shown(page: pypdfium2.PdfPage, x: float, y: float) -> tuple[float, float]:
    across, down = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, DEVICE, DEVICE, 0, x, y, ctypes.byref(across), ctypes.byref(down))
    return across.value / DEVICE, down.value / DEVICE
