"""Store: a teacher's outputs on disk, one row a (page, augmentation), read through memory maps.

A folder with `cache.json` (what it is of), `pages.json` (page ids) and one `NN.npy` an output or feature, whose row is
page index x views + view index. While it is being filled it is called NAME.partial (see `partial.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from distildoc.core.batch import Key
from distildoc.schema.errors import InputError
from distildoc.schema.json_files import read_json

FORMAT = 1
MAX_PAGES_BYTES = 1 << 30  # of pages.json: ten million ids of a hundred characters
MAX_ARRAYS = 64
MAX_RANK = 4  # axes of one page's feature
WAY_OUT = "run `distildoc cache` into another folder, or delete this one first"
Dtype = Literal["float32", "float16"]
Kind = Literal["output", "feature"]


@dataclass(frozen=True)
class Contents:
    """What a cache is of; a difference in anything but the pages makes it another cache.

    teacher       its fingerprint.
    labels        class names in the order of the logits stored.
    augmentation  fingerprint of the augmentation; None: pages as they are.
    preprocess    how pages became pixels.
    views         augmentation ids kept of every page; 0 is the page as it is.
    """

    teacher: str
    labels: tuple[str, ...]
    augmentation: str | None
    preprocess: Mapping[str, object]
    views: tuple[int, ...]
    dtype: Dtype

    def differences(self, other: "Contents") -> list[str]:
        """What differs, as `name: here, there`."""
        mine, theirs = asdict(self), asdict(other)
        return [f"{name} {mine[name]!r} and not {theirs[name]!r}" for name in mine if mine[name] != theirs[name]]


@dataclass(frozen=True)
class Slot:
    """One array of a cache: an output or a feature of a View, and its shape a page."""

    kind: Kind
    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """cache.json and pages.json."""

    contents: Contents
    slots: tuple[Slot, ...]
    pages: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.pages) * len(self.contents.views)

    def to_json(self) -> dict[str, object]:
        """cache.json; the page ids have a file of their own."""
        return {"format": FORMAT, **asdict(self.contents), "arrays": [asdict(slot) for slot in self.slots]}


class Index:
    """Row of a key."""

    def __init__(self, header: Header, where: Path) -> None:
        self._pages = {page: number for number, page in enumerate(header.pages)}
        self._views = {view: number for number, view in enumerate(header.contents.views)}
        self._where = where

    def rows(self, keys: Sequence[Key]) -> NDArray[np.int64]:
        """Raises InputError naming the first page or view that the cache does not hold."""
        pages, views, per_page = self._pages, self._views, len(self._views)
        try:
            return np.array([pages[key.page] * per_page + views[key.augmentation] for key in keys], dtype=np.int64)
        except KeyError:
            lacking = next(key for key in keys if key.page not in pages or key.augmentation not in views)
            what = f"page '{lacking.page}'" if lacking.page not in pages else f"augmentation {lacking.augmentation}"
            raise InputError(f"{self._where}: the cache holds no {what}; {WAY_OUT}") from None


class Store:
    """A finished cache, open for reading; nothing is read into memory before it is asked for.

    Raises InputError, naming the folder, where it is missing, unfinished, damaged or of another format.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir() and partial_folder(self.folder).is_dir():
            raise InputError(f"{folder}: the cache is not finished; run `distildoc cache` again to fill it up")
        if not self.folder.is_dir():
            raise InputError(f"{folder}: no cache there; write it with `distildoc cache`")
        self.header = read_header(self.folder)
        self._index = Index(self.header, self.folder)
        self._arrays = {slot: self._open(number) for number, slot in enumerate(self.header.slots)}

    def read(self, keys: Sequence[Key], slots: Sequence[Slot] | None = None) -> list[NDArray[np.floating]]:
        """One array a slot (None: every slot), [len(keys), *shape], in the order of the keys, in stored precision."""
        rows = self._index.rows(keys)
        wanted = self.header.slots if slots is None else slots
        return [self._arrays[slot].take(rows, axis=0) for slot in wanted]

    def require(self, keys: Sequence[Key]) -> None:
        """Raises InputError naming the first key that is not there; cheap, so that it can be asked before training."""
        self._index.rows(keys)

    def _open(self, number: int) -> NDArray[np.floating]:
        path = self.folder / array_file(number)
        expected = (self.header.rows, *self.header.slots[number].shape)
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: missing or truncated ({' '.join(str(error).split())}); {WAY_OUT}") from None
        if array.shape != expected or array.dtype != self.header.contents.dtype:
            raise InputError(
                f"{path}: holds {array.dtype} {array.shape}, cache.json says {self.header.contents.dtype} {expected}; "
                f"{WAY_OUT}"
            )
        return np.asarray(array)  # a plain view of the map: its indexing is faster


def read_header(folder: Path) -> Header:
    """cache.json and pages.json of a cache, finished or not; raises InputError where they are not ours."""
    path = folder / "cache.json"
    content = read_json(path)
    if content.get("format") != FORMAT:
        raise InputError(f"{path}: format {content.get('format')!r}, this version reads {FORMAT}; {WAY_OUT}")
    pages = read_json(folder / "pages.json", max_bytes=MAX_PAGES_BYTES).get("pages")
    try:
        contents = Contents(
            teacher=_text(content["teacher"]),
            labels=tuple(_text(label) for label in _list(content["labels"])),
            augmentation=None if content["augmentation"] is None else _text(content["augmentation"]),
            preprocess=dict(cast(Mapping[str, object], content["preprocess"])),
            views=tuple(_whole(view) for view in _list(content["views"])),
            dtype=_dtype(content["dtype"]),
        )
        slots = tuple(_slot(slot) for slot in _list(content["arrays"])[:MAX_ARRAYS])
        return Header(contents, slots, tuple(_text(page) for page in _list(pages)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged at {error}; {WAY_OUT}") from None


def feature_names(header: Header) -> tuple[str, ...]:
    """Features that a cache holds, by the tap they were asked for."""
    return tuple(slot.name for slot in header.slots if slot.kind == "feature")


def array_file(number: int) -> str:
    """File of a slot; names never come from the header.

    >>> array_file(3)
    '03.npy'
    """
    return f"{number:02d}.npy"


def partial_folder(folder: Path) -> Path:
    """Where a cache is filled before it gets its name."""
    return folder.with_name(folder.name + ".partial")


def _slot(value: object) -> Slot:
    fields = cast(Mapping[str, object], value)
    kind, shape = fields["kind"], tuple(_whole(size) for size in _list(fields["shape"]))
    if kind not in ("output", "feature") or not 1 <= len(shape) <= MAX_RANK or min(shape) < 1:
        raise ValueError(f"array {value}")
    return Slot(kind, _text(fields["name"]), shape)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r}, which is no text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r}, which is no whole number")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r}, which is no list")
    return value


def _dtype(value: object) -> Dtype:
    if value != "float32" and value != "float16":
        raise ValueError(f"dtype {value!r}")
    return value
