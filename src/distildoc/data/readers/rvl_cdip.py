"""RVL-CDIP as its owner ships it: PATH/labels/{train,val,test}.txt with lines `path id`, PATH/images/path.

Harley et al. 2015, arXiv:1502.07058: 320,000 / 40,000 / 40,000 grey pages of 16 classes. One test image is damaged in
every copy (see CORRUPT) and is left out, which gives the 39,999 test pages of the literature.
"""

import logging
from pathlib import Path, PurePosixPath

from distildoc.data.pageset import PageSet
from distildoc.schema.errors import InputError, closest
from distildoc.schema.pages import Page
from distildoc.schema.sources import image_page

logger = logging.getLogger(__name__)

CLASSES: tuple[str, ...] = (  # in the order of the ids; spaces of the owner's list are underscores
    "letter",
    "form",
    "email",
    "handwritten",
    "advertisement",
    "scientific_report",
    "scientific_publication",
    "specification",
    "file_folder",
    "news_article",
    "budget",
    "invoice",
    "presentation",
    "questionnaire",
    "resume",
    "memo",
)
SPLITS = ("train", "val", "test")
CORRUPT = "imagese/e/j/e/eje42e00/2500126531_2500126536.tif"  # test page of class 6 that no decoder reads


def read(*, path: str | Path, split: str) -> PageSet:
    """Pages of one split; ids are the paths of the label file.

    Files that are missing are counted in the log and raise when they are read (`check_pages` skips them on request).
    Raises InputError for an unknown split, a label file that is missing or malformed, or when no image is there.
    """
    root = Path(path)
    if split not in SPLITS:
        raise InputError(f"RVL-CDIP has no split '{split}'; {closest(split, SPLITS)}")
    rows = label_rows(root / "labels" / f"{split}.txt")
    pages = [image_page(root / "images" / name, id=name, label=CLASSES[label]) for name, label in rows]
    _report_missing(pages, root)
    return PageSet(tuple(pages), CLASSES, f"RVL-CDIP {split}")


def label_rows(file: Path) -> list[tuple[str, int]]:
    """(path, class id) of every line, without the damaged test image."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read '{file}': RVL-CDIP needs labels/{{train,val,test}}.txt beside images/ ({error})"
        ) from error
    rows = [_row(line, f"{file}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]
    return [(name, label) for name, label in rows if name != CORRUPT]


def _row(line: str, where: str) -> tuple[str, int]:
    name, _, label = line.strip().rpartition(" ")
    if not name or not label.isdecimal():
        raise InputError(f"{where}: expected `path id`, found '{line.strip()[:80]}'")
    if int(label) >= len(CLASSES):
        raise InputError(f"{where}: class id {label} is not among 0 to {len(CLASSES) - 1}")
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise InputError(f"{where}: the path '{name}' leads out of the images folder")
    return name, int(label)


def _report_missing(pages: list[Page], root: Path) -> None:
    missing = [page.id for page in pages if not Path(page.source).is_file()]
    if missing and len(missing) == len(pages):
        raise InputError(f"none of the {len(pages)} listed images is below '{root / 'images'}', e.g. {missing[0]}")
    if missing:
        logger.warning("%d of %d listed images are missing, first %s", len(missing), len(pages), missing[0])
