"""Markdown: the text of each document in reading order, one file a document.

Titles and section headers are headings, list items a list, tables and code blocks of fixed-width text at the columns
where the words stand, pictures a comment with their place. Page headers and footers are left out: they would stand
between the halves of a sentence (JSON and hOCR have them). Text that the detector gave no region comes as paragraphs.
Each page begins with a comment that names it.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TextIO

from distildoc.predict.lines import paragraph, table_text
from distildoc.predict.reading import Block, Reading
from distildoc.predict.writers.documents import writing_documents
from distildoc.schema.bundle import Bundle
from distildoc.schema.pages import FailedPage

TARGET = "markdown"
TEXT = True
HEADINGS = {"title": "#", "section_header": "##"}
FIXED_WIDTH = ("table", "code", "formula")
LEFT_OUT = ("page_header", "page_footer")
BULLETS = re.compile(r"^(?:[•‣⁃∙●○◦▪■□–—*·o\uf0b7-]\s+|[•‣●▪■\uf0b7])")
NUMBERED = re.compile(r"^\(?(\d{1,3})[.)]\s+")


def writing(path: Path, bundle: Bundle) -> AbstractContextManager[Callable[[Reading | FailedPage], None]]:
    """A context that gives the function which writes one page into `path`/DOCUMENT.md."""
    return writing_documents(path, ".md", _document)


@contextmanager
def _document(file: TextIO, name: str) -> Iterator[Callable[[Reading | FailedPage], None]]:
    yield lambda page: _write(file, page)


def _write(file: TextIO, page: Reading | FailedPage) -> None:
    if isinstance(page, FailedPage):
        file.write(f"<!-- {_comment(f'page {page.number} could not be read: {page.reason}')} -->\n\n")
        return
    file.write(f"<!-- page {page.page.number} -->\n\n")
    item = False
    for block in page.blocks:
        text = _block(block)
        if not text:
            continue
        if item and block.kind != "list_item":
            file.write("\n")
        item = block.kind == "list_item"
        file.write(text + ("\n" if item else "\n\n"))
    if item:
        file.write("\n")


def _block(block: Block) -> str:
    if block.kind in LEFT_OUT:
        return ""
    if block.kind == "picture":
        box = " ".join(str(round(side)) for side in block.box)
        return "\n\n".join(part for part in (f"<!-- picture at {box} px -->", _escaped(paragraph(block.lines))) if part)
    if block.kind in FIXED_WIDTH:
        return _fenced(table_text(block.lines)) if block.lines else ""
    text = paragraph(block.lines)
    if not text:
        return ""
    if block.kind in HEADINGS:
        return f"{HEADINGS[block.kind]} {_escaped(text)}"
    if block.kind == "list_item":
        return _item(text)
    return f"*{_escaped(text)}*" if block.kind == "caption" else _escaped(text)


def _item(text: str) -> str:
    number = NUMBERED.match(text)
    if number:
        return f"{number[1]}. {_escaped(text[number.end() :])}"
    return f"- {_escaped(BULLETS.sub('', text))}"


def _fenced(text: str) -> str:
    """A code block; its fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    text = re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
    text = re.sub(r"&(?=[#\w]+;)", r"\\&", text)
    return re.sub(r"^([#+=|~-]|\d+(?=[.)]\s))", _first, text)


def _first(found: re.Match[str]) -> str:
    """What would begin a heading, a list or a table at the start of a line."""
    return f"{found[1]}\\" if found[1].isdigit() else f"\\{found[1]}"


def _comment(text: str) -> str:
    """Text that cannot end the comment it stands in."""
    return re.sub(r"-(?=[->])|>", "", " ".join(text.split())).strip()
