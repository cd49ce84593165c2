"""Files and folders to a stream of pages: images, multi-page TIFF, PDF.

Nothing is decoded before a page is asked for its pixels, and at most one document is open at a time, so a stream
costs the same memory for ten pages as for a million. A file that cannot be read becomes a FailedPage in its place.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from distildoc.schema.errors import InputError
from distildoc.schema.images import MAX_PAGES, ImageFile, frame_count
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.pdfs import PdfFile, PdfPage

TIFF_SUFFIXES = (".tif", ".tiff")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", *TIFF_SUFFIXES)
PDF_SUFFIXES = (".pdf",)
SUFFIXES = IMAGE_SUFFIXES + PDF_SUFFIXES

Paths = str | Path | Iterable[str | Path]


@dataclass(frozen=True)
class PageRange:
    """Page numbers from 1, as inclusive spans; an end of None is the last page.

    >>> parse_page_range("1-3,7,10-").within(11)
    [1, 2, 3, 7, 10, 11]
    """

    spans: tuple[tuple[int, int | None], ...]

    def within(self, count: int) -> list[int]:
        """The numbers of the range that a file of `count` pages has, in order."""
        numbers = {n for first, last in self.spans for n in range(first, min(last or count, count) + 1)}
        return sorted(numbers)


def parse_page_range(text: str) -> PageRange:
    """Read "1-3,7,10-" ("-5" is 1-5); raises InputError for anything else."""
    spans = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{0,9})\s*(-?)\s*(\d{0,9})\s*", part)
        if not found or not (found[1] or found[3]) or (found[3] and not found[2]):
            raise InputError(f"page range '{text}': '{part.strip()}' is no page; write pages as 1-3,7,10-")
        first = int(found[1] or 1)
        last = int(found[3]) if found[3] else (None if found[2] else first)
        if first < 1 or (last is not None and last < first):
            raise InputError(f"page range '{text}': '{part.strip()}' is empty; pages count from 1, small to large")
        spans.append((first, last))
    return PageRange(tuple(spans))


def image_page(path: str | Path, *, id: str, label: str | None = None) -> Page:
    """The first picture of one image file as a Page; the file is opened when its pixels are asked for."""
    return Page(id=id, source=str(path), number=1, load=ImageFile(Path(path)), label=label)


def page_size(page: Page) -> tuple[int, int]:
    """(width, height) in pixels that the boxes of a page are counted in: its `size` where it has one, else that of the
    image as stored, and 150 dpi for a page of a PDF. Reads headers where it can; raises InputError as reading does.
    """
    if page.size is not None:
        return page.size
    if isinstance(page.load, ImageFile | PdfPage):
        return page.load.size()
    return page.image().size


def pages_from(
    paths: Paths, *, recursive: bool = True, pages: PageRange | None = None, password: str | None = None
) -> Iterator[Page | FailedPage]:
    """Pages of files and folders, in the order named, folders sorted by name.

    Ids are paths relative to the folder named, or the name of the file named, with `#n` where a file has several
    pages. Where several paths are named, ids start with the name of theirs, with as many parents as tell them apart.
    Every file is searched for `pages`; a picture is a file of one page. FailedPage.number is 0 for a whole file.

    Raises InputError at once for a path that does not exist, an unknown suffix, or a folder without pages; and at
    the end where `pages` selected nothing from files that could be read.
    """
    roots = _roots(paths, recursive)
    return _stream(roots, pages, password)


def count_pages(
    paths: Paths, *, recursive: bool = True, pages: PageRange | None = None, password: str | None = None
) -> int:
    """How many pages `pages_from` will give, failed ones included; opens PDF and TIFF files but decodes nothing."""
    roots = _roots(paths, recursive)
    return sum(_count(file, pages, password) for root in roots for file, _ in root.files())


def file_pages(
    path: Path, *, id: str, pages: PageRange | None = None, password: str | None = None
) -> Iterator[Page | FailedPage]:
    """Pages of one file; a file that cannot be read gives one FailedPage."""
    suffix = path.suffix.lower()
    try:
        if suffix in PDF_SUFFIXES:
            pdf = PdfFile(path, password)
            with pdf.streaming() as count:
                for number in _selected(path, count, pages):
                    yield Page(_numbered(id, number, count), str(path), number, PdfPage(pdf, number))
        else:
            count = frame_count(path) if suffix in TIFF_SUFFIXES else 1
            for number in _selected(path, count, pages):
                yield Page(_numbered(id, number, count), str(path), number, ImageFile(path, number - 1))
    except InputError as error:
        yield FailedPage(id, str(path), 0, str(error))


@dataclass(frozen=True)
class _Root:
    """A path the user named; `prefix` goes before the ids below it."""

    path: Path
    prefix: str
    recursive: bool

    def files(self) -> Iterator[tuple[Path, str]]:
        """Files that may hold pages, with their ids."""
        if not self.path.is_dir():
            yield self.path, self.prefix
            return
        for file in page_files(self.path, recursive=self.recursive):
            relative = file.relative_to(self.path).as_posix()
            yield file, f"{self.prefix}/{relative}" if self.prefix else relative


def page_files(folder: Path, *, recursive: bool = True) -> Iterator[Path]:
    """Files of a folder that may hold pages, sorted within each folder; hidden and unknown ones are passed over."""

    def stop(error: OSError) -> None:
        raise InputError(f"cannot list the folder '{error.filename}' ({error.strerror})")

    for parent, folders, names in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if recursive else []
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith(".") and path.is_file():
                yield path


def _roots(paths: Paths, recursive: bool) -> list[_Root]:
    named = [paths] if isinstance(paths, str | Path) else list(paths)
    if not named:
        raise InputError("no file or folder to read pages from")
    # Not resolve(): a link keeps the name it was called by.
    places = {Path(os.path.abspath(path)): Path(path) for path in reversed(named)}  # noqa: PTH100
    for path in (kept := list(places.values())[::-1]):
        _check_named(path, recursive)
    prefixes = _prefixes(list(places)[::-1])
    return [_Root(path, prefix, recursive) for path, prefix in zip(kept, prefixes, strict=True)]


def _prefixes(places: list[Path]) -> list[str]:
    """What ids start with: nothing for a single folder, else the fewest last parts that tell the paths apart."""
    if len(places) == 1 and places[0].is_dir():
        return [""]
    depths = [1] * len(places)
    while True:
        names = ["/".join(place.parts[-depth:]) for place, depth in zip(places, depths, strict=True)]
        seen = Counter(names)
        if max(seen.values()) == 1:
            return names
        depths = [depth + (seen[name] > 1) for name, depth in zip(names, depths, strict=True)]


def _check_named(path: Path, recursive: bool) -> None:
    known = " ".join(SUFFIXES)
    if path.is_dir():
        if next(page_files(path, recursive=recursive), None) is None:
            below = "" if recursive else " (its sub-folders were not searched)"
            raise InputError(f"folder '{path}' holds no pages{below}; readable are {known}")
    elif not path.exists():
        raise InputError(f"no file or folder '{path}'")
    elif not path.is_file() or path.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot read pages from '{path}': readable are {known}, and folders of these")


def _stream(roots: list[_Root], pages: PageRange | None, password: str | None) -> Iterator[Page | FailedPage]:
    nothing = True
    for root in roots:
        for file, id in root.files():
            for page in file_pages(file, id=id, pages=pages, password=password):
                nothing = False
                yield page
    if nothing:
        raise InputError("the page range selects no page of any file; pages count from 1")


def _count(file: Path, pages: PageRange | None, password: str | None) -> int:
    suffix = file.suffix.lower()
    try:
        if suffix in PDF_SUFFIXES:
            return len(_selected(file, PdfFile(file, password).page_count(), pages))
        return len(_selected(file, frame_count(file) if suffix in TIFF_SUFFIXES else 1, pages))
    except InputError:
        return 1


def _selected(path: Path, count: int, pages: PageRange | None) -> Sequence[int]:
    if count == 0:
        raise InputError(f"{path}: the file has no pages")
    numbers = range(1, count + 1) if pages is None else pages.within(count)
    if len(numbers) > MAX_PAGES:
        raise InputError(f"{path}: {len(numbers)} pages, more than {MAX_PAGES}; choose some with --pages")
    return numbers


def _numbered(id: str, number: int, count: int) -> str:
    return f"{id}#{number}" if count > 1 else id
