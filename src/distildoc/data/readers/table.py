"""Texts with classes in a table: a TSV or CSV file with a header, one text a row, such as SST-2 of GLUE."""

from collections.abc import Mapping
from pathlib import Path

from distildoc.data.pageset import PageSet
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Page
from distildoc.schema.tables import is_table, table_rows
from distildoc.schema.texts import text_page

__all__ = ["is_table", "read"]


def read(
    *, path: str | Path, text: str = "text", label: str | None = "label", names: Mapping[str, str] | None = None
) -> PageSet:
    """Texts and classes of a table; the classes are sorted. Ids are `FILE#ROW`, rows counted from 1.

    text, label  names of the columns; without a label column the texts have no class.
    names        what a value of the label column is called, as {"0": negative, "1": positive}; None: as it is written.

    Rows without text are left out and counted. Raises InputError for a file that cannot be used (see table_rows), a
    row without class or with one that `names` does not know, and a table without texts.
    """
    file = Path(path)
    columns = (text,) if label is None else (text, label)
    pages: list[Page] = []
    empty: list[int] = []
    for number, (words, *classes) in table_rows(file, columns):
        if not words.strip():
            empty.append(number)
            continue
        known = _named(classes[0], names, file, number) if classes else None
        pages.append(text_page(words, id=f"{file.name}#{number}", source=str(file), number=number, label=known))
    if not pages:
        raise InputError(f"{file}: no row with a text in the column '{text}'")
    repairs = (f"{file}: {len(empty)} rows without text left out, first row {empty[0]}",) if empty else ()
    labels = sorted({page.label for page in pages if page.label is not None})
    return PageSet(tuple(pages), tuple(labels), file.name, repairs)


def _named(value: str, names: Mapping[str, str] | None, file: Path, number: int) -> str:
    if not value.strip():
        raise InputError(f"{file}: row {number} has no class; drop the row, or read without a label column")
    if names is None:
        return value
    if value not in names:
        raise InputError(f"{file}: row {number} has the class '{value}', `names` knows {', '.join(names)}")
    return names[value]
