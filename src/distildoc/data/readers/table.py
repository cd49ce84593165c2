"""Texts with classes in a table: a TSV or CSV file with a header, one text a row, such as SST-2 of GLUE."""

from collections.abc import Mapping
from pathlib import Path

from distildoc.data.pageset import PageSet
from distildoc.data.unreadable import labelled, reason_of
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.tables import is_table, table_rows_or_faults
from distildoc.schema.texts import text_page

__all__ = ["is_table", "read"]


def read(
    *, path: str | Path, text: str = "text", label: str | None = "label", names: Mapping[str, str] | None = None
) -> PageSet:
    """Texts and classes of a table; the classes are sorted. Ids are `FILE#ROW`, rows counted from 1.

    text, label  names of the columns; without a label column the texts have no class.
    names        what a value of the label column is called, as {"0": negative, "1": positive}; None: as it is written.

    Rows without text are left out and counted. A row that cannot be read, or has no class, stays as a page that says so
    when it is asked for, until `check_pages` or an evaluation counts it. Raises InputError for a file that cannot be
    used (see table_rows_or_faults), a class that `names` does not know, and a table without a text that can be read.
    """
    file = Path(path)
    columns = (text,) if label is None else (text, label)
    pages: list[Page] = []
    empty: list[int] = []
    for number, found in table_rows_or_faults(file, columns):
        if not isinstance(found, InputError) and not found[0].strip():
            empty.append(number)
        else:
            pages.append(_page(found, file, number, names))
    if all(page.text is None for page in pages):
        why = f"; {len(pages)} rows cannot be used, the first since {reason_of(pages[0])}" if pages else ""
        raise InputError(f"{file}: no row with a text in the column '{text}'{why}")
    repairs = (f"{file}: {len(empty)} rows without text left out, first row {empty[0]}",) if empty else ()
    labels = sorted({page.label for page in pages if page.label is not None})
    return PageSet(tuple(pages), tuple(labels), file.name, repairs)


def _page(found: tuple[str, ...] | InputError, file: Path, number: int, names: Mapping[str, str] | None) -> Page:
    """The text of a row, or a page that raises what is wrong with the row."""
    id, source = f"{file.name}#{number}", str(file)
    if isinstance(found, InputError):
        return labelled(FailedPage(id, source, number, str(found)), None)
    words, *classes = found
    if not classes:
        return text_page(words, id=id, source=source, number=number)
    if not classes[0].strip():
        reason = f"{file}: row {number} has no class; drop the row, or read without a label column"
        return labelled(FailedPage(id, source, number, reason), None)
    return text_page(words, id=id, source=source, number=number, label=_named(classes[0], names, file, number))


def _named(value: str, names: Mapping[str, str] | None, file: Path, number: int) -> str:
    if names is None:
        return value
    if value not in names:
        raise InputError(f"{file}: row {number} has the class '{value}', `names` knows {', '.join(names)}")
    return names[value]
