"""hOCR 1.2: one XHTML file a document; regions as areas and floats, with lines and words where the page has text.

Every region has its class and score as `x_label` and `x_score` beside its bbox. Boxes are whole pixels of the page;
a page of a PDF is counted at 150 dpi, which `scan_res` says.

    Breuel, Baierer: the hOCR embedded OCR workflow and output format, version 1.2.
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from distildoc.predict.lines import Line
from distildoc.predict.reading import Block, Reading
from distildoc.predict.writers.documents import writing_documents
from distildoc.schema.bundle import Bundle
from distildoc.schema.pages import Box, FailedPage
from distildoc.schema.pdfs import DPI, PdfPage

TARGET = "hocr"
TEXT = True
# What lies around the lines of a kind: (outer class, inner element, inner class); floats are no areas of the text.
SHAPES = {
    "title": ("ocr_carea", "h1", "ocr_title"),
    "section_header": ("ocr_carea", "h2", "ocr_section"),
    "caption": ("ocr_carea", "p", "ocr_caption"),
    "formula": ("ocr_carea", "div", "ocr_display"),
    "table": ("ocr_table", "p", "ocr_par"),
    "picture": ("ocr_image", "p", "ocr_par"),
    "footnote": ("ocr_textfloat", "p", "ocr_par"),
    "page_header": ("ocr_header", "p", "ocr_par"),
    "page_footer": ("ocr_footer", "p", "ocr_par"),
}
AREA = ("ocr_carea", "p", "ocr_par")
CLASSES = sorted({"ocr_page", "ocr_line", "ocrx_word", "ocr_par", *(name for s in SHAPES.values() for name in s[::2])})
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="" lang="">
<head>
<title>{title}</title>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />
<meta name="ocr-system" content="distildoc {version}" />
<meta name="ocr-capabilities" content="{classes}" />
</head>
<body>
"""


def writing(path: Path, bundle: Bundle) -> AbstractContextManager[Callable[[Reading | FailedPage], None]]:
    """A context that gives the function which writes one page into `path`/DOCUMENT.hocr; failed pages leave a gap."""
    return writing_documents(path, ".hocr", _document)


@contextmanager
def _document(file: TextIO, name: str) -> Iterator[Callable[[Reading | FailedPage], None]]:
    file.write(HEAD.format(title=_text(name), version=version("distildoc"), classes=" ".join(CLASSES)))
    yield lambda page: None if isinstance(page, FailedPage) else _write(file, page)
    file.write("</body>\n</html>\n")


def _write(file: TextIO, reading: Reading) -> None:
    page, (width, height) = reading.page, reading.layout.size
    about = [f'image "{_quoted(page.source)}"', f"bbox 0 0 {width} {height}", f"ppageno {page.number - 1}"]
    if isinstance(page.load, PdfPage):
        about.append(f"scan_res {DPI} {DPI}")
    file.write(f'<div class="ocr_page" id="page_{page.number}" title="{_text("; ".join(about))}">\n')
    for number, block in enumerate(reading.blocks, start=1):
        file.write(_block(block, f"{page.number}_{number}", reading.layout.size))
    file.write("</div>\n")


def _block(block: Block, number: str, size: tuple[int, int]) -> str:
    outer, element, inner = SHAPES.get(block.kind, AREA)
    box = f"bbox {_bbox(block.box, size)}"
    about = box
    if block.label is not None and block.score is not None:
        about += f"; x_label {_quoted(block.label)}; x_score {block.score:.4f}"
    content = ""
    if block.lines:
        lines = "".join(_line(line, f"{number}_{place}", size) for place, line in enumerate(block.lines, start=1))
        content = f'<{element} class="{inner}" title="{box}">\n{lines}</{element}>\n'
    return f'<div class="{outer}" id="block_{number}" title="{_text(about)}">\n{content}</div>\n'


def _line(line: Line, number: str, size: tuple[int, int]) -> str:
    words = " ".join(
        f'<span class="ocrx_word" id="word_{number}_{place}" title="bbox {_bbox(_px(word.box, size), size)}'
        f'{"" if word.confidence is None else f"; x_wconf {round(100 * word.confidence)}"}">{_text(word.text)}</span>'
        for place, word in enumerate(line.words, start=1)
    )
    box = _bbox(_px(line.box, size), size)
    return f'<span class="ocr_line" id="line_{number}" title="bbox {box}">{words}</span>\n'


def _px(box: Box, size: tuple[int, int]) -> Box:
    width, height = size
    return box[0] * width, box[1] * height, box[2] * width, box[3] * height


def _bbox(box: Box, size: tuple[int, int]) -> str:
    """Whole pixels around a box, within the page."""
    left, top = (max(0, math.floor(side)) for side in box[:2])
    right, bottom = (min(most, math.ceil(side)) for side, most in zip(box[2:], size, strict=True))
    return f"{left} {top} {max(left, right)} {max(top, bottom)}"


def _quoted(name: str) -> str:
    """A name for a property: what would end the property is percent-encoded."""
    return re.sub(r'[";%\s\ud800-\udfff]', lambda found: f"%{ord(found[0]):02X}" if found[0] != " " else " ", name)


def _text(text: str) -> str:
    return escape(FORBIDDEN.sub("", text))
