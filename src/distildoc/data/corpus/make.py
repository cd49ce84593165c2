"""Makes the built-in corpus: a folder of generated document pages with labels, words and layout regions.

DIR/images/{page_id}.jpg   the scanned pages, longest side 1000 px
DIR/labels.csv             page_id, path, label, split
DIR/coco_{split}.json      layout regions of train, val and test
DIR/words/{page_id}.json   words with boxes, and facts such as an invoice's total
DIR/pdf/{page_id}.pdf      the first pages as clean vector PDFs
DIR/corpus.json            seed, counts, software versions
"""

import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from distildoc.data.corpus.page import PageKey, make_page
from distildoc.data.corpus.records import (
    PageRecord,
    record,
    split_of,
    write_coco,
    write_labels,
    write_summary,
    write_words,
)
from distildoc.schema.errors import InputError

_WORTH_A_POOL = 48  # below this many pages, starting processes takes longer than the pages
_CHUNK = 8
_PDFS_KEPT = 16  # vector PDFs to try prediction on: one a class


@dataclass(frozen=True)
class CorpusSummary:
    """What was made: where, how many pages, and how many of each class and split."""

    folder: Path
    pages: int
    classes: dict[str, int]
    splits: dict[str, int]


def make_corpus(
    folder: Path,
    *,
    pages: int,
    seed: int,
    shift: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CorpusSummary:
    """Make a corpus of `pages` pages in `folder`, which must be absent or empty.

    The same seed gives the same bytes, whatever `workers` is (None: one a core); `shift` makes the twin with
    another look; `progress` is called with pages done and wanted.
    Raises InputError if an argument cannot be used. An interrupted run leaves nothing behind.
    """
    _check(folder, pages, workers)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name in ("images", "words", "pdf"):
            (part / name).mkdir()
        keys = [PageKey(seed, shift, number) for number in range(pages)]
        records: list[PageRecord] = []
        for done in _written(keys, partial(_write_page, part), workers):
            records.append(done)
            if progress:
                progress(len(records), pages)
        rows = [(page, split_of(key)) for key, page in zip(keys, records, strict=True)]
        write_labels(part, rows)
        write_coco(part, rows)
        write_summary(part, rows, seed, shift)
        part.chmod(0o755)  # mkdtemp makes private folders
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    classes = Counter(page.label for page, _ in rows)
    return CorpusSummary(folder, pages, dict(classes), dict(Counter(split for _, split in rows)))


def _check(folder: Path, pages: int, workers: int | None) -> None:
    if pages < 1:
        raise InputError(f"pages is {pages}; give 1 or more (a multiple of 16 holds every class equally often)")
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}; give 1 or more, or leave it out for one a core")
    if folder.is_file():
        raise InputError(f"{folder} is a file; name a folder for the corpus")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; name a new folder or empty it first")


def _written(keys: list[PageKey], write: Callable[[PageKey], PageRecord], workers: int | None) -> Iterator[PageRecord]:
    """Write all pages, in this process or in several, and yield their records in order."""
    count = workers or (os.cpu_count() or 1)
    if count == 1 or (workers is None and len(keys) < _WORTH_A_POOL):
        yield from map(write, keys)
        return
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        yield from pool.imap(write, keys, chunksize=_CHUNK)


def _write_page(folder: Path, key: PageKey) -> PageRecord:
    """Make one page and write its files."""
    page = make_page(key)
    (folder / "images" / f"{key.page_id}.jpg").write_bytes(page.jpeg)
    if key.number < _PDFS_KEPT:
        (folder / "pdf" / f"{key.page_id}.pdf").write_bytes(page.pdf)
    write_words(folder, page)
    return record(page)
