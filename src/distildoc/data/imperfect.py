"""Training pages as they often are: some with a wrong class, some classes rare.

Both are pure functions of a seed, the page ids and their classes, whatever the order of the pages. Ids stay, so that a
page can be traced; the fingerprint of the set changes.
"""

import hashlib
from collections import defaultdict
from dataclasses import replace

import numpy as np

from distildoc.data.pageset import PageSet
from distildoc.data.unreadable import is_nameless
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Page


def with_wrong_labels(pages: PageSet, share: float, *, seed: int) -> PageSet:
    """Symmetric label noise: this share of the pages, to the nearest page, gets one of the other classes, all alike.

    Pages without a class stay without. Raises InputError for a share outside 0..1, or fewer than two classes.
    """
    if not 0 <= share <= 1:
        raise InputError(f"{pages.name}: the share of wrong labels must be between 0 and 1, not {share}")
    known = _of_classes(pages)
    chosen = sorted(known, key=lambda page: _draw("which", page.id, seed))[: round(share * len(known))]
    wrong = {page.id for page in chosen}
    moved = [
        replace(page, label=_other(page, pages.labels, seed)) if page.id in wrong else page for page in pages.pages
    ]
    return replace(pages, pages=tuple(moved), name=f"{pages.name}, {len(wrong)} of them with a wrong class")


def imbalanced(pages: PageSet, ratio: float, *, seed: int) -> PageSet:
    """Exponential imbalance 1 : ratio: class c keeps n ratio^(-c / (C - 1)) pages, rounded, at least 1.

    n is the number of pages of the class that has fewest, so that every class has enough; c counts the classes in an
    order that the seed draws (Cui et al. 2019, arXiv:1901.05555, section 5.1, takes the order of the labels).
    Raises InputError for a ratio below 1, or fewer than two classes.
    """
    if ratio < 1:
        raise InputError(
            f"{pages.name}: the ratio of the commonest to the rarest class must be at least 1, not {ratio}"
        )
    members: dict[str, list[Page]] = defaultdict(list)
    for page in _of_classes(pages):
        members[str(page.label)].append(page)
    most = min(map(len, members.values()))
    kept: set[str] = set()
    for place, label in enumerate(np.random.default_rng(seed).permutation(sorted(members)).tolist()):
        count = max(1, round(most * ratio ** (-place / (len(members) - 1))))
        kept.update(page.id for page in sorted(members[label], key=lambda page: _draw("kept", page.id, seed))[:count])
    left = tuple(page for page in pages.pages if page.id in kept or is_nameless(page))
    return replace(pages, pages=left, name=f"{pages.name}, imbalanced 1 : {ratio:g}")


def _of_classes(pages: PageSet) -> list[Page]:
    """The pages that have a class, of at least two classes in all."""
    known = [page for page in pages.pages if page.label is not None]
    if len({page.label for page in known}) < 2:
        raise InputError(
            f"{pages.name}: wrong classes and rare ones need pages of two classes at least; leave them out"
        )
    return known


def _other(page: Page, labels: tuple[str, ...], seed: int) -> str:
    others = [label for label in labels if label != page.label]
    return others[_draw("class", page.id, seed) % len(others)]


def _draw(purpose: str, id: str, seed: int) -> int:
    text = f"{purpose}\0{seed}\0{id}".encode(errors="surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
