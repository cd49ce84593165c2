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
        with _PDFIUM:
            # A forked process shares the file's position with its parent: it opens the file for itself.
            if self._open is not None and self._open[0] == os.getpid():
                return self._draw(self._fresh(self._open[1]), number, longest_px)
            document = self._document()
            try:
                return self._draw(document, number, longest_px)
            finally:
                document.close()

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
        where = f"{self.path}, page {number}"
        try:
            page = document[number - 1]
            longest_points = max(page.get_size())
            if not 0 < longest_points < math.inf:
                raise InputError(f"{where}: the page has no size")
            wanted = longest_points * DPI / 72 if longest_px is None else longest_px
            drawn: Image.Image = page.render(scale=min(wanted, MAX_SIDE_PX) / longest_points).to_pil()
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{where}: cannot draw the page ({one_line(error)})") from error
        return drawn.convert("RGB")


@dataclass(frozen=True)
class PdfPage:
    """Draws one page of a PDF when called with the longest side of use, in pixels."""

    file: PdfFile
    number: int

    def __call__(self, longest_px: int | None) -> Image.Image:
        return self.file.render(self.number, longest_px=longest_px)
