"""Damaged pages at the size of a network, made once and kept in a folder for every model that takes that size.

A folder holds one memory-mapped file of bytes a (kind, severity). Its name is a hash of the pages, of how they become
pixels, of the seed and of the version of the drawing, so nothing in it is ever out of date. Files come whole or not at
all, and two processes that write the same ones do no harm: the bytes are the same.

Pages are damaged at SHEET pixels and shrunk afterwards, so that networks of several sizes see the same damage.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distildoc.data.corruptions.corrupt import VERSION, corrupted, moved
from distildoc.data.corruptions.planes import grid
from distildoc.data.pageset import PageSet
from distildoc.data.targets import MIN_VISIBLE
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Page, Region
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.writing import new_files

SHEET = 1000  # longest side in pixels at which pages are damaged; about 90 dots an inch, as in the corpus
CLEAN = ("clean", 0)  # the page itself, by the same way
SIZES = "sizes.npy"

Setting = tuple[str, int]  # kind, severity


def sheet(page: Page, *, grey: bool, least: int = 0) -> Image.Image:
    """A page as it is damaged: grey or RGB, shrunk to SHEET pixels, or to `least` where that is more."""
    longest = max(SHEET, least)
    image = page.image(longest)
    if max(image.size) > longest:
        rows, columns = grid((image.height, image.width), longest)
        image = image.convert("L" if grey else "RGB").resize((columns, rows), Image.Resampling.BILINEAR)
    return image.convert("L" if grey else "RGB")


@dataclass(frozen=True)
class DamagedPages:
    """The pages of a set under any (kind, severity).

    folder  keeps the damaged pages of many sets; this one has a folder of its own inside.
    seed    of the damage.
    """

    pages: PageSet
    preprocess: Preprocess
    folder: Path
    seed: int

    @property
    def home(self) -> Path:
        facts = [VERSION, SHEET, self.seed, self.preprocess.to_json(), self.pages.fingerprint]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for page in self.pages.pages:
            digest.update(f"{page.id}\0{_file_facts(page)}\n".encode(errors="surrogateescape"))
        return self.folder / digest.hexdigest()[:16]

    def make(
        self, settings: Sequence[Setting], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Path:
        """Write what is missing of these settings, and of the clean pages; gives the folder they are in.

        `progress` gets the pages done, and how many there are.
        Raises InputError for the first page that cannot be read; nothing is written then.
        """
        home = self.home
        missing = [setting for setting in (CLEAN, *settings) if not (home / _name(setting)).is_file()]
        if missing:
            with new_files(home) as part:
                self._draw(part, missing, progress)
        return home

    def under(self, setting: Setting, home: Path) -> list[Page]:
        """The pages under a setting that `make` has written to `home`, with regions where the damage has moved them.

        Raises InputError for a file that is missing or damaged.
        """
        pixels = _read(home / _name(setting), (len(self.pages), *self._shape))
        sizes = _read(home / SIZES, (len(self.pages), 2)).tolist()
        return [
            replace(page, load=_Row(pixels, row, *size), regions=_moved(page, setting, self.seed))
            for row, (page, size) in enumerate(zip(self.pages.pages, sizes, strict=True))
        ]

    @property
    def _shape(self) -> tuple[int, ...]:
        """Of a page as bytes."""
        size = self.preprocess.height, self.preprocess.width
        return size if self.preprocess.grey else (*size, 3)

    def _draw(self, folder: Path, settings: Sequence[Setting], progress: Callable[[int, int], None]) -> None:
        count, sizes = len(self.pages), np.empty((len(self.pages), 2), np.uint16)
        files = [
            np.lib.format.open_memmap(folder / _name(setting), "w+", np.uint8, (count, *self._shape))
            for setting in settings
        ]
        for row, page in enumerate(self.pages.pages):
            image = sheet(page, grey=self.preprocess.grey, least=max(self._shape[:2]))
            sizes[row] = self._size_in_input(image)
            for (kind, severity), file in zip(settings, files, strict=True):
                damaged = image
                if severity:
                    damaged = corrupted(image, kind, severity=severity, seed=self.seed, page=page.id)
                pixels = self.preprocess(damaged)
                file[row] = pixels[..., 0] if self.preprocess.grey else pixels
            progress(row + 1, count)
        np.save(folder / SIZES, sizes)

    def _size_in_input(self, image: Image.Image) -> tuple[int, int]:
        """(width, height) in pixels of the input that the page takes up, without its padding."""
        across, down = self.preprocess.share(*image.size)
        return round(across * self.preprocess.width), round(down * self.preprocess.height)


@dataclass(frozen=True)
class _Row:
    """Reads a page of a file of pixels, without the padding, which the network's preprocessing adds again."""

    pixels: NDArray[np.uint8]
    row: int
    width: int
    height: int

    def __call__(self, longest_px: int | None) -> Image.Image:
        return Image.fromarray(np.ascontiguousarray(self.pixels[self.row, : self.height, : self.width]))


def _moved(page: Page, setting: Setting, seed: int) -> tuple[Region, ...] | None:
    """The regions that can be seen well enough, cut at the edge of the page, as in training."""
    kind, severity = setting
    if not page.regions or page.size is None or not severity:
        return page.regions
    boxes = np.array([region.box for region in page.regions], np.float64)
    whole = moved(boxes, kind, severity=severity, seed=seed, page=page.id, size=page.size)
    if whole is boxes:
        return page.regions
    return tuple(_cut(page.regions, whole, page.size))


def _cut(regions: Sequence[Region], boxes: NDArray[np.float64], size: tuple[int, int]) -> Iterator[Region]:
    width, height = size
    for region, whole in zip(regions, boxes, strict=True):
        left, top, right, bottom = np.clip(whole, 0, (width, height, width, height)).tolist()
        if (right - left) * (bottom - top) > MIN_VISIBLE * np.prod(whole[2:] - whole[:2]):
            yield replace(region, box=(left, top, right, bottom))


def _name(setting: Setting) -> str:
    kind, severity = setting
    return f"{kind}-{severity}.npy" if severity else f"{kind}.npy"


def _file_facts(page: Page) -> str:
    """Where the pixels of a page come from, and when they were written, where that is a file."""
    path = Path(page.source)
    if not path.is_file():
        return f"{page.source}\0{page.number}"
    found = path.stat()
    return f"{path.resolve()}\0{page.number}\0{found.st_size}\0{found.st_mtime_ns}"


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        found: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged or gone ({error}); delete its folder, it is written again") from None
    if found.shape != shape:
        raise InputError(f"{path}: holds {found.shape}, not {shape}; delete its folder, it is written again")
    return found
