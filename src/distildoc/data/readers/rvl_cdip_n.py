"""RVL-CDIP-N: about a thousand born-digital pages of the 16 RVL-CDIP classes, for covariate shift.

Larson et al. 2022, arXiv:2210.07448. Reads class folders, or parquet files when PATH is one or holds some. Class names
are matched to RVL-CDIP's after lower-casing and with underscores for spaces, so that label sets agree.
"""

from dataclasses import replace
from pathlib import Path

from distildoc.data.pageset import PageSet
from distildoc.data.readers import folder, hub
from distildoc.data.readers.rvl_cdip import CLASSES
from distildoc.schema.errors import InputError, closest


def read(*, path: str | Path, split: str = "test") -> PageSet:
    """All pages with RVL-CDIP's class names in RVL-CDIP's order; `split` counts only for parquet files.

    Raises InputError for a class that is not one of the 16.
    """
    root = Path(path)
    if root.suffix == ".parquet" or any(root.rglob("*.parquet")):
        found = hub.read(source=root, split=split)
    else:
        found = folder.read(path=root)
    new = {name: _class_name(name, root) for name in found.labels}
    pages = [page if page.label is None else replace(page, label=new[page.label]) for page in found.pages]
    return PageSet(tuple(pages), CLASSES, "RVL-CDIP-N")


def _class_name(name: str, root: Path) -> str:
    plain = "_".join(name.lower().replace("_", " ").split())
    if plain not in CLASSES:
        raise InputError(f"RVL-CDIP-N in '{root}': unknown class '{name}'; {closest(plain, CLASSES)}")
    return plain
