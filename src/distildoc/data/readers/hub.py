"""Hub data sets and parquet files, through the `datasets` library (extra `data`).

The network is used only where `source` is a hub id. Scripts are never run: `datasets` 4 and later refuse them. Pages
stay in the memory-mapped table that `datasets` keeps in its own cache folder, and are decoded when asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from distildoc.data.pageset import PageSet
from distildoc.schema.errors import InputError, closest
from distildoc.schema.images import one_line, read_image
from distildoc.schema.pages import Page


def read(
    *,
    source: str | Path,
    split: str,
    config: str | None = None,
    revision: str | None = None,
    columns: tuple[str, str | None] = ("image", "label"),
    labels: Sequence[str] | None = None,
) -> PageSet:
    """Rows of a hub data set, of a parquet file, or of a local folder of parquet files, as pages `SOURCE/SPLIT#ROW`.

    columns   names of the image column (encoded bytes) and of the class column (None: no classes).
    labels    class names in the order of the ids, where the class column holds bare numbers.

    Spaces in class names become underscores, as the other readers write them.
    Raises ImportError without the library, InputError for a script, an unknown source, split, column or class.
    """
    table = load_table(str(source), split, config=config, revision=revision)
    image, label = columns
    for column in (image, label):
        if column is not None and column not in table.column_names:
            raise InputError(f"'{source}' has no column '{column}'; {closest(column, table.column_names)}")
    where = f"{source}/{split}" if not Path(source).exists() else f"{Path(source).name}/{split}"
    values, names = ([None] * len(table), ()) if label is None else _classes(table, label, labels, where=where)
    rows = image_rows(table, image)
    pages = [_page(rows, index, label=value, where=where) for index, value in enumerate(values)]
    return PageSet(tuple(pages), names, where)


@dataclass(frozen=True)
class TableRow:
    """Decodes the picture of one row when called with the longest side of use, in pixels."""

    rows: Any = field(repr=False)  # datasets.Dataset with the image column alone
    index: int
    name: str

    def __call__(self, longest_px: int | None) -> Image.Image:
        (cell,) = self.rows[self.index].values()
        content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
        if isinstance(content, bytes):
            return read_image(BytesIO(content), self.name, longest_px=longest_px)
        if isinstance(path, str):
            return read_image(Path(path), self.name, longest_px=longest_px)
        raise InputError(f"{self.name}: the row holds no image")


def load_table(source: str, split: str, *, config: str | None, revision: str | None) -> Any:
    """The rows of a split; raises ImportError without the library, InputError where they cannot be had."""
    try:
        import datasets
    except ImportError as error:
        raise ImportError("hub and parquet data sets need the datasets library: install distildoc[data]") from error
    if source.endswith(".parquet") and not Path(source).is_file():
        raise InputError(f"no parquet file '{source}'")
    try:
        if source.endswith(".parquet"):
            return datasets.load_dataset("parquet", data_files={"rows": source}, split="rows")
        return datasets.load_dataset(source, config, split=split, revision=revision)
    except Exception as error:  # network, hub and file formats have no error in common
        if "scripts are no longer supported" in str(error):
            raise InputError(
                f"'{source}' is a data set with a Python script, which is not run; name a parquet copy, for hub ids "
                "often `revision: refs/convert/parquet`"
            ) from error
        raise InputError(f"cannot load the split '{split}' of '{source}' ({one_line(error)})") from error


def _classes(
    table: Any, column: str, labels: Sequence[str] | None, *, where: str
) -> tuple[list[str | None], tuple[str, ...]]:
    """The class of every row, and the class names in order."""
    values: list[str | int | None] = list(table[column])
    known = labels if labels is not None else getattr(table.features[column], "names", None)
    if known is None and any(isinstance(value, int) for value in values):
        raise InputError(f"{where}: column '{column}' holds numbers; name the classes in order with `labels`")
    if known is None:
        known = sorted({str(value) for value in values if value is not None})
    names = tuple(_plain(name) for name in known)
    return [_name_of(value, names, where) for value in values], names


def _name_of(value: str | int | None, names: tuple[str, ...], where: str) -> str | None:
    if value is None or value == -1:  # how hub data sets mark a hidden class
        return None
    if isinstance(value, int):
        if not 0 <= value < len(names):
            raise InputError(f"{where}: class id {value} is not among 0 to {len(names) - 1}")
        return names[value]
    return _plain(value)


def _plain(name: str) -> str:
    return "_".join(name.split())


def image_rows(table: Any, column: str) -> Any:
    """The image column alone, its pictures still encoded, for `TableRow`."""
    import datasets

    rows = table.select_columns([column])
    if isinstance(table.features[column], datasets.Image):
        return rows.cast_column(column, datasets.Image(decode=False))
    return rows


def _page(rows: Any, index: int, *, label: str | None, where: str) -> Page:
    id = f"{where}#{index + 1}"
    return Page(id, id, 1, TableRow(rows, index, id), label)  # a row is a document of its own
