"""The layout of the built-in corpus: PATH/coco_{train,val,test}.json and PATH/images; the group is the page's class."""

from pathlib import Path

from distildoc.data.annotations import Repair
from distildoc.data.corpus.classes import SPLITS
from distildoc.data.pageset import PageSet
from distildoc.data.readers import coco
from distildoc.schema.errors import InputError, closest


def read(*, path: str | Path, split: str | None = None, repair: Repair = "mend") -> PageSet:
    """Pages of one split, or all, with DocLayNet's 11 classes of regions; ids are the file names.

    Raises InputError for an unknown split, a missing file, and as `coco` does.
    """
    root = Path(path)
    if split is not None and split not in SPLITS:
        raise InputError(f"corpus '{root}' has no split '{split}'; {closest(split, SPLITS)}")
    names = SPLITS if split is None else (split,)
    parts = [coco.read(path=root / f"coco_{name}.json", images=root, repair=repair) for name in names]
    pages = tuple(page for part in parts for page in part.pages)
    repairs = tuple(line for part in parts for line in part.repairs)
    return PageSet(pages, parts[0].labels, root.name if split is None else f"{root.name} {split}", repairs)
