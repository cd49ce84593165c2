"""The built-in corpus: PATH/labels.csv (page_id, path, label, split) and PATH/images."""

import csv
from pathlib import Path, PurePosixPath

from distildoc.data.pageset import PageSet
from distildoc.data.readers.rvl_cdip import CLASSES
from distildoc.schema.errors import InputError, closest
from distildoc.schema.sources import image_page

COLUMNS = ("page_id", "path", "label", "split")


def read(*, path: str | Path, split: str | None = None) -> PageSet:
    """Pages of one split, or all; classes are those of the whole corpus, in RVL-CDIP's order.

    Raises InputError for a missing or malformed label file, an unknown split or an unknown class.
    """
    root = Path(path)
    rows = _rows(root / "labels.csv")
    splits = dict.fromkeys(row["split"] for row in rows)
    if split is not None and split not in splits:
        raise InputError(f"corpus '{root}' has no split '{split}'; {closest(split, splits)}")
    used = {row["label"] for row in rows}
    for label in used - set(CLASSES):
        raise InputError(f"corpus '{root}': unknown class '{label}'; {closest(label, CLASSES)}")
    pages = [
        image_page(root / row["path"], id=row["page_id"], label=row["label"])
        for row in rows
        if split in (None, row["split"])
    ]
    labels = tuple(label for label in CLASSES if label in used)
    return PageSet(tuple(pages), labels, root.name if split is None else f"{root.name} {split}")


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            table = csv.DictReader(lines)
            missing = set(COLUMNS) - set(table.fieldnames or ())
            rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read '{file}': a corpus has labels.csv beside images/ ({error})") from error
    if missing or not rows:
        raise InputError(f"'{file}': expected rows with the columns {', '.join(COLUMNS)}")
    for number, row in enumerate(rows, start=2):
        if None in row.values() or ".." in PurePosixPath(row["path"]).parts or PurePosixPath(row["path"]).is_absolute():
            raise InputError(f"'{file}', line {number}: expected {', '.join(COLUMNS)} with a path inside the corpus")
    return rows
