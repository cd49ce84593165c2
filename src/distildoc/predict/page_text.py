"""Where the words of a page come from: the PDF itself, or OCR of its picture."""

from collections.abc import Callable, Sequence

from distildoc.predict.ocr import open_ocr
from distildoc.schema.pages import Page
from distildoc.schema.pdfs import PdfPage
from distildoc.schema.words import Word


def own_words(page: Page) -> Sequence[Word]:
    """What the file itself carries: nothing for pictures and scans. InputError where it cannot be read."""
    return page.load.words() if isinstance(page.load, PdfPage) else ()


def words_or_ocr(threads: int | None = None) -> Callable[[Page], Sequence[Word]]:
    """The file's own words, and OCR for a page that has none; ImportError where the extra `ocr` is missing."""
    ocr = open_ocr(threads)
    return lambda page: own_words(page) or ocr(page)
