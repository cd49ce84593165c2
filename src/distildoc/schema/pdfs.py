"""PDF files to pages, through PDFium.

PDFium is not thread-safe, so every call into it holds one lock. A document stays open only while its pages are
streamed; a page read later opens the file again. A page is drawn so that its longest side has about as many pixels
as are asked for, whatever its MediaBox says: that bounds memory.
"""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pypdfium2
from PIL import Image

from distildoc.schema.errors import InputError
from distildoc.schema.images import one_line
from distildoc.schema.pdf_text import words_of
from distildoc.schema.words import Word

DPI = 150  # where no size is asked for
MAX_SIDE_PX = 8192  # no page is drawn larger
REOPEN_AFTER = 200  # pages; an open document keeps what it has parsed, some 40 KB a page

_PDFIUM = threading.RLock()


@dataclass
class PdfFile:
    """A PDF by path; `streaming` keeps it open for a while, everything else opens and closes it."""

    path: Path
    password: str | None = field(default=None, repr=False)
    _open: "tuple[int, pypdfium2.PdfDocument] | None" = field(default=None, repr=False, compare=False)
    _drawn: int = field(default=0, repr=False, compare=False)

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "password": self.password, "_open": None, "_drawn": 0}

    @contextmanager
    def streaming(self) -> Iterator[int]:
        """Keeps the document open and gives its number of pages; raises InputError where it cannot be opened."""
        with _PDFIUM:
            document = self._document()
            self._open = (os.getpid(), document)
            count = len(document)
        try:
            yield count
        finally:
            with _PDFIUM:
                if self._open is not None:
                    self._open[1].close()
                self._open = None

    def page_count(self) -> int:
        """Number of pages; raises InputError where the file cannot be opened."""
        with self.streaming() as count:
            return count

    def render(self, number: int, *, longest_px: int | None) -> Image.Image:
        """Page `number` (from 1) as RGB over white, drawn to about `longest_px`; None: 150 dpi."""
        with self._at_hand(drawing=True) as document:
            return self._draw(document, number, longest_px)

    def size(self, number: int) -> tuple[int, int]:
        """(width, height) of page `number` in the pixels it is drawn with where no size is asked for."""
        with self._at_hand() as document, self._named(number, "measure"):
            width, height = document[number - 1].get_size()
            scale = min(DPI / 72, MAX_SIDE_PX / _longest(width, height))
            return max(1, round(width * scale)), max(1, round(height * scale))

    def words(self, number: int) -> list[Word]:
        """The text that page `number` carries, in the order it is drawn; none for a scan."""
        with self._at_hand() as document, self._named(number, "read the text of"):
            return words_of(document[number - 1])

    @contextmanager
    def _at_hand(self, *, drawing: bool = False) -> Iterator[pypdfium2.PdfDocument]:
        """The document, under the lock: the open one, or one opened for this call."""
        with _PDFIUM:
            # A forked process shares the file's position with its parent: it opens the file for itself.
            if self._open is not None and self._open[0] == os.getpid():
                yield self._fresh(self._open[1]) if drawing else self._open[1]
                return
            document = self._document()
            try:
                yield document
            finally:
                document.close()

    @contextmanager
    def _named(self, number: int, doing: str) -> Iterator[None]:
        """Whatever PDFium raises becomes an InputError that names the page."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{self.path}, page {number}: cannot {doing} the page ({one_line(error)})") from error

    def _fresh(self, document: pypdfium2.PdfDocument) -> pypdfium2.PdfDocument:
        """The open document, opened anew from time to time so that memory stays flat over thousands of pages."""
        self._drawn += 1
        if self._drawn % REOPEN_AFTER == 0:
            anew = self._document()
            document.close()
            self._open, document = (os.getpid(), anew), anew
        return document

    def _document(self) -> pypdfium2.PdfDocument:
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file")
        try:
            document = pypdfium2.PdfDocument(self.path, password=self.password)
            document.init_forms()  # before any page is loaded, or filled-in fields stay blank
        except Exception as error:
            raise InputError(self._reason(error)) from error
        return document

    def _reason(self, error: Exception) -> str:
        text = one_line(error)
        if "password" not in text.lower():
            return f"{self.path}: cannot read the PDF ({text})"
        if self.password is None:
            return f"{self.path}: the PDF is encrypted; give its password with --password"
        return f"{self.path}: the PDF is encrypted and the password given with --password does not open it"

    def _draw(self, document: pypdfium2.PdfDocument, number: int, longest_px: int | None) -> Image.Image:
        with self._named(number, "draw"):
            page = document[number - 1]
            longest_points = _longest(*page.get_size())
            wanted = longest_points * DPI / 72 if longest_px is None else longest_px
            drawn: Image.Image = page.render(scale=min(wanted, MAX_SIDE_PX) / longest_points).to_pil()
        return drawn.convert("RGB")


def _longest(width: float, height: float) -> float:
    """Longest side in points; raises ValueError where the page has none."""
    longest = max(width, height)
    if not 0 < longest < math.inf:
        raise ValueError("it has no size")
    return longest


@dataclass(frozen=True)
class PdfPage:
    """Draws one page of a PDF when called with the longest side of use, in pixels."""

    file: PdfFile
    number: int

    def __call__(self, longest_px: int | None) -> Image.Image:
        return self.file.render(self.number, longest_px=longest_px)

    def size(self) -> tuple[int, int]:
        """(width, height) in pixels at 150 dpi."""
        return self.file.size(self.number)

    def words(self) -> list[Word]:
        """The text that the page carries; none for a scan."""
        return self.file.words(self.number)
