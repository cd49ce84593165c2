"""Tobacco-3482: ten class folders (ADVE, Email, Form, Letter, Memo, News, Note, Report, Resume, Scientific).

Kumar et al. 2014, "Structural similarity for document image classification and retrieval". The set has no split of
its own; DistilDoc (arXiv:2406.08226, section 4) shuffles with seed 42 and takes 800 / 200 / 2,482 pages. `split`
follows that recipe over the pages sorted by class folder and name; their rows came in the order of a hub copy, so
which page falls where may differ from theirs.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from distildoc.data.pageset import PageSet
from distildoc.data.readers import folder
from distildoc.schema.errors import InputError, closest

NAMES = {  # folder: class
    "ADVE": "advertisement",
    "Email": "email",
    "Form": "form",
    "Letter": "letter",
    "Memo": "memo",
    "News": "news",
    "Note": "note",
    "Report": "report",
    "Resume": "resume",
    "Scientific": "scientific",
}
TRAIN, VAL = 800, 200  # pages; the rest is test


def read(*, path: str | Path, split: str | None = None, seed: int = 42) -> PageSet:
    """All pages, or the `train`, `val` or `test` part of the seeded shuffle.

    Raises InputError for an unknown split, a missing, unknown or empty class folder, or too few pages to split.
    """
    root = Path(path)
    found = [entry.name for entry in folder.class_folders(root, None)]
    for name in (*found, *NAMES):
        if name not in NAMES:
            raise InputError(f"'{root / name}' is no class of Tobacco-3482; {closest(name, NAMES)}")
        if name not in found:
            raise InputError(f"Tobacco-3482 in '{root}' lacks the class folder '{name}'")
    pages = [
        page for name, label in NAMES.items() for page in folder.labelled_pages(root / name, root=root, label=label)
    ]
    everything = PageSet(tuple(pages), tuple(NAMES.values()), "Tobacco-3482")
    return everything if split is None else _part(everything, split, seed)


def _part(pages: PageSet, split: str, seed: int) -> PageSet:
    parts = {"train": slice(0, TRAIN), "val": slice(TRAIN, TRAIN + VAL), "test": slice(TRAIN + VAL, None)}
    if split not in parts:
        raise InputError(f"Tobacco-3482 has no split '{split}'; {closest(split, parts)}")
    if len(pages) <= TRAIN + VAL:
        raise InputError(f"Tobacco-3482: {len(pages)} pages are too few to split into {TRAIN}, {VAL} and a rest")
    order = np.random.default_rng(seed).permutation(len(pages))[parts[split]]
    return replace(pages, pages=tuple(pages.pages[i] for i in order), name=f"{pages.name} {split}")
