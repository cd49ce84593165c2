"""Files and folders to a stream of texts: a .txt file is one text, a TSV or CSV one a row."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.tables import TABLES, is_table, table_rows_or_faults
from distildoc.schema.texts import MAX_TEXT_BYTES, text_page

PLAIN = (".txt",)
TEXT_SUFFIXES = (*PLAIN, *TABLES)


def texts_from(
    paths: Sequence[str | Path], *, recursive: bool = True, column: str = "text"
) -> Iterator[Page | FailedPage]:
    """Texts of files and folders, in the order named, folders sorted by name.

    Ids are the names of files, or their paths below a folder that was named, with `#n` for row n of a table, whose
    texts stand in `column`. A .txt file or a row that cannot be read comes as a FailedPage in its place.

    Raises InputError for a path that does not exist, an unknown suffix, a folder without texts, and a table that
    cannot be read.
    """
    for file, id in _files(paths, recursive):
        yield from _of_table(file, id, column) if is_table(file) else [_of_file(file, id)]


def count_texts(paths: Sequence[str | Path], *, recursive: bool = True, column: str = "text") -> int:
    """How many texts `texts_from` will give, failed ones included; reads tables to their end."""
    return sum(
        sum(1 for _ in table_rows_or_faults(file, (column,))) if is_table(file) else 1
        for file, _ in _files(paths, recursive)
    )


def _of_table(file: Path, id: str, column: str) -> Iterator[Page | FailedPage]:
    for number, found in table_rows_or_faults(file, (column,)):
        row = f"{id}#{number}"
        if isinstance(found, InputError):
            yield FailedPage(row, str(file), number, str(found))
        else:
            yield _page(found[0], row, file, number)


def _of_file(file: Path, id: str) -> Page | FailedPage:
    try:
        if file.stat().st_size > MAX_TEXT_BYTES:
            raise InputError(f"{file}: {file.stat().st_size} bytes, more than the {MAX_TEXT_BYTES} allowed for a text")
        return _page(file.read_text(encoding="utf-8-sig"), id, file, 1)
    except (OSError, UnicodeDecodeError, InputError) as error:
        return FailedPage(id, str(file), 0, f"{file}: {error}" if not isinstance(error, InputError) else str(error))


def _page(text: str, id: str, file: Path, number: int) -> Page | FailedPage:
    if not text.strip() or "\0" in text:
        return FailedPage(id, str(file), number, f"{id}: no text there" if not text.strip() else f"{id}: a zero byte")
    return text_page(text, id=id, source=str(file), number=number)


def _files(paths: Sequence[str | Path], recursive: bool) -> Iterator[tuple[Path, str]]:
    """Files that hold texts, with their ids."""
    if not paths:
        raise InputError("no file or folder to read texts from")
    seen: set[str] = set()
    for path in map(Path, paths):
        found = list(_below(path, recursive)) if path.is_dir() else [(_named(path), path.name)]
        if not found:
            raise InputError(f"folder '{path}' holds no texts; readable are {' '.join(TEXT_SUFFIXES)}")
        for file, id in found:
            if id in seen:
                raise InputError(f"two texts would be called '{id}'; name the folder above them")
            seen.add(id)
            yield file, id


def _named(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"no file or folder '{path}'")
    if path.suffix.lower() not in TEXT_SUFFIXES:
        raise InputError(
            f"cannot read texts from '{path}': readable are {' '.join(TEXT_SUFFIXES)}, and folders of these"
        )
    return path


def _below(folder: Path, recursive: bool) -> Iterator[tuple[Path, str]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if recursive else []
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix.lower() in TEXT_SUFFIXES and not name.startswith(".") and path.is_file():
                yield path, path.relative_to(folder).as_posix()
