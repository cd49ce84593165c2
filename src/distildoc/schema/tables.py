"""Tables of texts: TSV and CSV files with a header, read row by row."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from distildoc.schema.errors import InputError, closest
from distildoc.schema.texts import MAX_TEXT_BYTES

TABLES = (".tsv", ".csv")
MAX_TABLE_BYTES = 1 << 30
MAX_ROWS = 5_000_000


def is_table(path: Path) -> bool:
    """Whether the name of a file is that of a table."""
    return path.suffix.lower() in TABLES


def table_rows_or_faults(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...] | InputError]]:
    """(number, values of the columns) of every row, from 1; a TSV has no quotes, a CSV has those of RFC 4180.

    A row of another width, and one with a zero byte or a value of more than MAX_TEXT_BYTES, comes as an InputError in
    its place. Raises InputError, naming the line, for a file that is missing, too large, no UTF-8 or without rows, a
    column that is not there, or there twice, and quotes that do not close.
    """
    _check_file(path)
    csv.field_size_limit(MAX_TABLE_BYTES)  # what is too long is told row by row
    tsv = path.suffix.lower() == ".tsv"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if tsv else csv.reader(file, strict=True)
            header = next(reader, None)
            places = _places(path, header or [], columns)
            empty = True
            for number, row in enumerate(reader, start=1):
                if number > MAX_ROWS:
                    raise InputError(f"{path}: more than {MAX_ROWS} rows; split the table")
                if row:
                    empty = False
                    yield number, _values(row, places, len(header or []), where=f"{path}: line {reader.line_num}")
            if empty:
                raise InputError(f"{path}: a header and no row")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 after line {reader.line_num} ({error.reason}); save it as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}; mend the row, or its quotes") from None


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"no file '{path}'")
    if not is_table(path):
        raise InputError(f"cannot read a table from '{path}': readable are {' '.join(TABLES)}")
    size = 0
    with suppress(OSError):
        size = path.stat().st_size
    if size > MAX_TABLE_BYTES:
        raise InputError(f"{path}: {size} bytes, more than the {MAX_TABLE_BYTES} allowed for a table; split it")


def _places(path: Path, header: Sequence[str], columns: Sequence[str]) -> list[int]:
    for name in columns:
        if name not in header:
            known = closest(name, header) if header else "the file is empty"
            raise InputError(f"{path}: no column '{name}'; {known}")
        if header.count(name) > 1:
            raise InputError(f"{path}: {header.count(name)} columns are named '{name}'; rename all but one")
    return [header.index(name) for name in columns]


def _values(row: Sequence[str], places: Sequence[int], width: int, *, where: str) -> tuple[str, ...] | InputError:
    if len(row) != width:
        return InputError(f"{where} has {len(row)} values, the header names {width} columns")
    found = tuple(row[place] for place in places)
    if any("\0" in value or len(value.encode()) > MAX_TEXT_BYTES for value in found):
        return InputError(f"{where} has a zero byte, or a value of more than {MAX_TEXT_BYTES} bytes")
    return found
