"""PageSet: some pages with their labels, and the ways to take part of one.

Every selection is a pure function of its seed and can be written down as a list of page ids.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from distildoc.data.unreadable import is_nameless
from distildoc.schema.errors import InputError, closest
from distildoc.schema.labels import LabelMap
from distildoc.schema.pages import FailedPage, Page, Region
from distildoc.schema.writing import new_file

_IDS_HEADER = "# distildoc page ids 1: "
SHAPE = 1.1  # width to height of an image and of what its regions are counted in may differ by this factor
_NAMES = "surrogateescape"  # how Python holds file names that are no UTF-8; they go to the file as they were


@dataclass(frozen=True)
class PageSet:
    """Pages in a fixed order, and the classes they may have.

    labels  class names in order, of the pages or of their regions; pages without a class have the label None.
    name    for records and messages, e.g. "rvl_cdip train".
    repairs what the reader mended in the files, a line each with the count and the first place.
    """

    pages: tuple[Page, ...]
    labels: tuple[str, ...]
    name: str
    repairs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        repeated = [id for id, times in Counter(page.id for page in self.pages).items() if times > 1]
        if repeated:
            raise InputError(f"{self.name}: {len(repeated)} page ids occur more than once, first '{repeated[0]}'")
        used = {name for page in self.pages for name in _classes(page)}
        for label in sorted(used.difference(self.labels)):
            raise InputError(f"{self.name}: unknown class '{label}'; {closest(label, self.labels)}")

    def __len__(self) -> int:
        return len(self.pages)

    @property
    def fingerprint(self) -> str:
        """32 hex digits over labels, page ids, their classes and regions, in order; the pixels are not read."""
        digest = hashlib.sha256()
        for text in (*self.labels, *(part for page in self.pages for part in _identity(page))):
            raw = text.encode(errors="surrogateescape")
            digest.update(len(raw).to_bytes(4, "little") + raw)
        return digest.hexdigest()[:32]

    def counts(self) -> dict[str, int]:
        """Pages of every class, in the order of the labels, zero where there are none.

        A page counts for its own class, and for every class of which it shows a region.
        """
        seen = Counter(name for page in self.pages for name in _classes(page))
        return {label: seen[label] for label in self.labels}

    def region_counts(self) -> dict[str, int]:
        """Regions of every class, in the order of the labels, zero where there are none."""
        seen = Counter(region.label for page in self.pages for region in page.regions or ())
        return {label: seen[label] for label in self.labels}


def hold_out(pages: PageSet, *, fraction: float, seed: int) -> tuple[PageSet, PageSet]:
    """(rest, held out): the same share of every class, at least one page of each side where a class has two documents.

    Pages of one document and class stay together, or the held-out ones would be known from their neighbours; so a class
    of long documents may give less than its share. Pages without a class, as those of layout data, are shared out
    like one class. Which pages are held out depends on the seed, the ids and the files
    alone, not on the order of the pages.
    Raises InputError for a fraction outside 0..1.
    """
    if not 0 < fraction < 1:
        raise InputError(f"{pages.name}: the fraction to hold out must be between 0 and 1, not {fraction}")
    held: set[str] = set()
    for members in _by_label(pages).values():
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held.update(_whole_documents(members, count, seed))
    rest = _where(pages, lambda page: page.id not in held)
    return rest, replace(_where(pages, lambda page: page.id in held), name=f"{pages.name}, held out")


def per_class(pages: PageSet, count: int, *, seed: int) -> PageSet:
    """The first `count` pages of every class after shuffling all pages.

    The recipe of DistilDoc's 1,000 pages a class (arXiv:2406.08226, section 4): NumPy's default generator permutes
    the pages, as `datasets.Dataset.shuffle(seed)` does, so that the same rows in the same order give their subset.
    Nameless pages (data/unreadable.py) stay, to be counted. Raises InputError where a class has fewer pages, or where
    pages have no class of their own, as in layout data.
    """
    if all(page.label is None for page in pages.pages):
        raise InputError(f"{pages.name}: pages have no class of their own, so none can be kept per class; leave it out")
    if count < 1:
        raise InputError(f"{pages.name}: the number of pages a class must be at least 1, not {count}")
    few = {label: found for label, found in pages.counts().items() if found < count}
    if few:
        label, least = next(iter(few)), min(few.values())
        way_out = f"ask for at most {least}" if least else "drop empty classes with a label map"
        raise InputError(f"{pages.name}: class '{label}' has {few[label]} pages, {count} are asked for; {way_out}")
    taken: Counter[str] = Counter()
    chosen = []
    for index in np.random.default_rng(seed).permutation(len(pages)):
        page = pages.pages[index]
        if is_nameless(page):
            chosen.append(page)
        elif page.label is not None and taken[page.label] < count:
            taken[page.label] += 1
            chosen.append(page)
    return replace(pages, pages=tuple(chosen), name=f"{pages.name}, {count} a class")


def of_classes(pages: PageSet, classes: Collection[str]) -> PageSet:
    """The pages of some classes; the labels stay. Raises InputError for a class that has no page."""
    for name in classes:
        if not any(page.label == name for page in pages.pages):
            raise InputError(f"{pages.name}: no page of class '{name}' to keep; {closest(name, pages.labels)}")
    return _where(pages, lambda page: page.label in classes or is_nameless(page))


def some(pages: PageSet, count: int, *, seed: int) -> PageSet:
    """At most `count` pages, in their order; which ones depends on the seed and their ids alone."""
    kept = {page.id for page in sorted(pages.pages, key=lambda page: _rank(page.id, seed))[:count]}
    return _where(pages, lambda page: page.id in kept)


def relabel(pages: PageSet, labels: LabelMap) -> PageSet:
    """Classes renamed, merged or dropped, pages' and regions' alike.

    A page of a dropped class goes; of a region's dropped class only the region goes, and its page stays.
    Raises InputError where the map names an unknown class.
    """
    for name in (*labels.rename, *labels.drop):
        if name not in pages.labels:
            raise InputError(f"{pages.name}: the label map names '{name}'; {closest(name, pages.labels)}")
    new = {old: labels(old) for old in pages.labels}
    kept = _where(pages, lambda page: page.label is None or new[page.label] is not None)
    moved = [replace(page, label=page.label and new[page.label], regions=_mapped(page, new)) for page in kept.pages]
    names = dict.fromkeys(name for name in new.values() if name is not None)
    return replace(pages, pages=tuple(moved), labels=tuple(names))


def write_ids(pages: PageSet, path: Path) -> None:
    """Write the page ids down, one a line in order, so that the same pages can be read again with `only`."""
    for page in pages.pages:
        if len(page.id.splitlines()) != 1:
            raise InputError(f"{pages.name}: page id {page.id!r} has a line break; rename the file")
    with new_file(path) as part:
        lines = [f"{_IDS_HEADER}{len(pages)} of {pages.name}", *(page.id for page in pages.pages)]
        part.write_text("\n".join(lines) + "\n", encoding="utf-8", errors=_NAMES)


def only(pages: PageSet, path: Path) -> PageSet:
    """The pages whose ids a file lists, in the order of the file; raises InputError where one is not there."""
    try:
        lines = path.read_text(encoding="utf-8", errors=_NAMES).splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot read the list of page ids ({error})") from error
    wanted = [line for line in lines if line and not line.startswith(_IDS_HEADER)]
    known = {page.id: page for page in pages.pages}
    missing = [id for id in wanted if id not in known]
    if missing:
        raise InputError(f"{path}: {len(missing)} of {len(wanted)} pages are not in {pages.name}, first '{missing[0]}'")
    return replace(pages, pages=tuple(known[id] for id in wanted))


def check_pages(
    pages: PageSet, *, skip_bad: bool, progress: Callable[[int], None] = lambda done: None
) -> tuple[PageSet, list[FailedPage]]:
    """Decode every page once: (the pages that can be read, the others with a reason).

    `progress` gets the number of pages done. Raises InputError with the count and the first bad page, unless
    `skip_bad`; also then where no page is left, or none of some class.
    """
    failed: list[FailedPage] = []
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        for done, failure in enumerate(pool.map(_decoded, pages.pages), start=1):
            if failure is not None:
                failed.append(failure)
            progress(done)
    finally:
        pool.shutdown(cancel_futures=True)
    if not failed:
        return pages, []
    if not skip_bad:
        raise InputError(
            f"{pages.name}: {len(failed)} of {len(pages)} cannot be read, first {failed[0].reason}; "
            "mend them or leave them out with --skip-bad"
        )
    bad = {failure.id for failure in failed}
    kept = _where(pages, lambda page: page.id not in bad)
    _check_left(pages, kept)
    return kept, failed


def _decoded(page: Page) -> FailedPage | None:
    if page.text is not None:
        return None  # its reader has seen it
    try:
        _check_shape(page, page.image(64).size)  # decoders read the whole file all the same
    except InputError as error:
        return FailedPage(page.id, page.source, page.number, str(error))
    return None


def _check_shape(page: Page, stored: tuple[int, int]) -> None:
    """Raises InputError where boxes cannot belong to the image: it was turned, or cut, after they were drawn."""
    if page.regions and page.size is not None:
        aspect = stored[0] * page.size[1] / (stored[1] * page.size[0])
        if not 1 / SHAPE <= aspect <= SHAPE:
            raise InputError(
                f"{page.source}: the image has the shape of {stored[0]} x {stored[1]} px, but its regions are counted "
                f"in {page.size[0]} x {page.size[1]}; was it turned or cut?"
            )


def _classes(page: Page) -> set[str]:
    """Classes that a page has or shows."""
    shown = {region.label for region in page.regions or ()}
    return shown if page.label is None else {page.label, *shown}


def _identity(page: Page) -> Iterator[str]:
    """What makes a page and its targets; the same two texts as ever for a page whose layout is not known."""
    yield page.id
    yield page.label or "\0"
    if page.regions is not None:
        yield f"\0{page.size} {len(page.regions)}"
        for region in page.regions:
            score = "" if region.score == 1 else f" {region.score}"
            yield f"{region.label} {tuple(map(float, region.box))} {region.crowd}{score}"


def _mapped(page: Page, new: Mapping[str, str | None]) -> tuple[Region, ...] | None:
    if page.regions is None:
        return None
    named = [(region, new[region.label]) for region in page.regions]
    return tuple(replace(region, label=name) for region, name in named if name is not None)


def _check_left(before: PageSet, after: PageSet) -> None:
    had, left = before.counts(), after.counts()
    gone = [label for label in before.labels if had[label] and not left[label]]
    if gone or not len(after):
        what = f"class '{gone[0]}'" if gone else "the data set"
        raise InputError(f"{before.name}: no page of {what} can be read")


def _by_label(pages: PageSet) -> Mapping[str | None, list[Page]]:
    groups: dict[str | None, list[Page]] = {}
    for page in pages.pages:
        groups.setdefault(page.label, []).append(page)
    return groups


def _whole_documents(members: list[Page], count: int, seed: int) -> list[str]:
    """Ids of at most `count` pages, drawn by document; the shortest document where all have more pages."""
    files: dict[str, list[str]] = {}
    for page in members:
        files.setdefault(page.document or page.source, []).append(page.id)
    documents = sorted(files.values(), key=lambda ids: _rank(min(ids), seed))
    chosen: list[str] = []
    for ids in documents:
        if len(chosen) + len(ids) <= count:
            chosen += ids
    return chosen if chosen or len(documents) < 2 else min(documents, key=len)


def _where(pages: PageSet, keep: Callable[[Page], bool]) -> PageSet:
    return replace(pages, pages=tuple(page for page in pages.pages if keep(page)))


def _rank(id: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{id}".encode(errors="surrogateescape"), digest_size=16).digest()
