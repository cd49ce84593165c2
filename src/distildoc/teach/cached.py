"""Cached: a teacher that looks its answers up; `write_cache` fills the store once.

Values come back bit for bit as the teacher gave them in the batch in which they were stored (float32), or rounded once
(float16). Reading a batch is one gather from a memory map, so a distillation epoch costs what a supervised one does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distildoc.core.batch import Batch, Key
from distildoc.core.teacher import Teacher
from distildoc.core.view import View
from distildoc.data.loader import Loader
from distildoc.schema.errors import ConfigError, InputError
from distildoc.teach import partial
from distildoc.teach.aligned import Aligned
from distildoc.teach.store import WAY_OUT, Contents, Dtype, Header, Kind, Slot, Store, feature_names, partial_folder

COMPARED = 4  # pages whose stored values are compared with the live teacher's
TOLERANCE = 0.02  # share of the largest value; float16, TF32 and other processors stay far below
LIMIT_KIB = 256  # a page and view; 100,000 pages of that are 24 GiB
Progress = Callable[[int, int], None]


class Cached:
    """The teacher that a store holds; cannot be run on other pixels.

    expected  what this run's teacher, pixels and views are (see `contents_of`); InputError where the store is of
              anything else. The store may hold more views than asked for, and its classes in another order.
    features  those to read, of those that are there; None: all. Reading a large map that nobody uses takes time.
    """

    live = False

    def __init__(self, store: Store, expected: Contents, *, features: Sequence[str] | None = None) -> None:
        stored = store.header.contents
        if set(expected.views) <= set(stored.views):
            expected = replace(expected, views=stored.views)
        if set(expected.labels) == set(stored.labels):
            expected = replace(expected, labels=stored.labels)
        if different := stored.differences(expected):
            raise InputError(f"{store.folder}: the cache is of {'; '.join(different)}; {WAY_OUT}")
        self._store = store
        self._slots = [
            slot for slot in store.header.slots if slot.kind == "output" or features is None or slot.name in features
        ]
        self.fingerprint = stored.teacher
        self.labels = stored.labels
        self.features = tuple(slot.name for slot in self._slots if slot.kind == "feature")

    def __call__(self, batch: Batch) -> View:
        outputs: dict[str, Tensor] = {}
        features: dict[str, Tensor] = {}
        for slot, array in zip(self._slots, self._store.read(batch.keys, self._slots), strict=True):
            values = torch.from_numpy(array).to(batch.inputs.device, non_blocking=True)
            (outputs if slot.kind == "output" else features)[slot.name] = values.float()
        return View(outputs, features)

    def require(self, keys: Sequence[Key]) -> None:
        """Raises InputError naming the first page or view that is not there."""
        self._store.require(keys)


def contents_of(teacher: Teacher, loader: Loader, *, dtype: Dtype = "float32") -> Contents:
    """What a cache for this teacher and these pages is of; ConfigError where the views are unbounded."""
    augmentation = loader.augmentation
    if augmentation is not None and augmentation.views is None:
        raise ConfigError(
            "a cache needs a bounded number of views: set `augmentation.views`, or drop the teacher's `cache`"
        )
    return Contents(
        teacher=teacher.fingerprint,
        labels=teacher.labels,
        augmentation=None if augmentation is None else augmentation.fingerprint,
        preprocess=loader.preprocess.to_json(),
        views=(0,) if augmentation is None or augmentation.views is None else tuple(range(1, augmentation.views + 1)),
        dtype=dtype,
    )


def open_cache(folder: str | Path, teacher: Teacher, *, loader: Loader, dtype: Dtype = "float32") -> Cached:
    """The teacher's cached answers for every page and view of the loader, with the features that `teacher` taps.

    A few of them are compared with the live teacher's, because the cache does not know whether the page images were
    changed under the same ids. Raises InputError where the cache is of another teacher, augmentation, precision or
    size, lacks a page, or does not agree.
    """
    contents = contents_of(teacher, loader, dtype=dtype)
    cached = Cached(Store(folder), contents, features=teacher.features)
    cached.require([Key(page.id, view) for page in loader.pages.pages for view in contents.views])
    if teacher.live:
        batch = next(iter(loader.epoch(0)))
        first = batch.select(torch.arange(min(COMPARED, len(batch))))
        _compare(Aligned(cached, teacher.labels), teacher, first, Path(folder))
    return cached


def write_cache(
    folder: str | Path,
    teacher: Teacher,
    *,
    loader: Loader,
    dtype: Dtype = "float32",
    limit_kib: int = LIMIT_KIB,
    progress: Progress | None = None,
) -> Store:
    """Run the teacher on every page and view once; continues where a stopped run left off.

    limit_kib  most that one page and view may take; larger features are refused.
    progress   called with (rows done, rows in all) after every batch.

    A finished cache of the same contents is opened as it is. Raises InputError for one of other contents, features
    over the limit, values that do not fit the precision, or a full disk.
    """
    folder, contents = Path(folder), contents_of(teacher, loader, dtype=dtype)
    pages = tuple(page.id for page in loader.pages.pages)
    if folder.exists():
        return _opened(folder, contents, teacher, pages)
    filling = partial.resume(folder)
    if filling is not None:
        _check_same(filling.header, contents, teacher, pages, folder)
    try:
        for batch in loader.all_views():
            if filling is None or not filling.has(batch.keys):
                slots, arrays = _answer(teacher, batch, dtype)
                filling = filling or partial.start(folder, _limited(Header(contents, slots, pages), limit_kib))
                filling.write(batch.keys, arrays)
            if progress is not None:
                progress(filling.done, filling.header.rows)
    except BaseException:
        if filling is not None:
            filling.close()
        raise
    assert filling is not None  # a loader has at least one batch
    filling.finish(folder)
    return Store(folder)


def _opened(folder: Path, contents: Contents, teacher: Teacher, pages: Sequence[str]) -> Store:
    """A finished cache that will do."""
    store = Store(folder)
    Cached(store, contents)
    _check_features(store.header, teacher, folder)
    store.require([Key(page, view) for page in pages for view in contents.views])
    return store


def _check_same(header: Header, contents: Contents, teacher: Teacher, pages: Sequence[str], folder: Path) -> None:
    """Raises InputError where an unfinished cache was begun for something else."""
    different = header.contents.differences(contents)
    if header.pages != tuple(pages):
        different.append(f"{len(header.pages)} pages that are not these {len(pages)}")
    if different:
        raise InputError(
            f"{partial_folder(folder)}: the unfinished cache there is of {'; '.join(different)}; delete it or choose "
            "another folder"
        )
    _check_features(header, teacher, partial_folder(folder))


def _check_features(header: Header, teacher: Teacher, folder: Path) -> None:
    lacking = [name for name in teacher.features if name not in feature_names(header)]
    if lacking:
        raise InputError(f"{folder}: the cache lacks the features {lacking}; {WAY_OUT}")


def _answer(teacher: Teacher, batch: Batch, dtype: Dtype) -> tuple[tuple[Slot, ...], list[NDArray[np.floating]]]:
    """What the teacher says of a batch, as it will be stored."""
    with torch.no_grad():
        view = teacher(batch)
    slots, arrays = [], []
    kinds: tuple[tuple[Kind, Mapping[str, Tensor]], ...] = (("output", view.outputs), ("feature", view.features))
    for kind, named in kinds:
        for name, values in named.items():
            with np.errstate(over="ignore"):
                array = values.float().cpu().numpy().astype(dtype)
            _check_finite(array, kind, name, batch, dtype)
            slots.append(Slot(kind, name, array.shape[1:]))
            arrays.append(array)
    return tuple(slots), arrays


def _check_finite(array: NDArray[np.floating], kind: str, name: str, batch: Batch, dtype: Dtype) -> None:
    bad = ~np.isfinite(array.reshape(len(array), -1)).all(1)
    if bad.any():
        page = batch.keys[int(bad.argmax())].page
        raise InputError(f"page '{page}': the teacher's {kind} '{name}' is not finite in {dtype}; try float32")


def _limited(header: Header, limit_kib: int) -> Header:
    """The header, unless a page takes more than the limit."""
    size = partial.row_bytes(header)
    if size > limit_kib * 1024:
        largest = max(header.slots, key=lambda slot: prod(slot.shape))
        raise InputError(
            f"cache: a page takes {size / 1024:.0f} KiB, most of it '{largest.name}' {largest.shape}, and all "
            f"{header.rows} rows {size * header.rows / 2**30:.2f} GiB; the limit is {limit_kib} KiB a page: use "
            "float16, a live teacher, another tap, or a higher `teacher.cache_limit_kib`"
        )
    return header


def _compare(cached: Teacher, teacher: Teacher, batch: Batch, folder: Path) -> None:
    """Raises InputError where a stored output is far from what the teacher says now."""
    with torch.no_grad():
        stored, now = cached(batch), teacher(batch)
    for name, values in stored.outputs.items():
        wanted = now.outputs[name].float()
        off = float((values - wanted).abs().max())
        if off > TOLERANCE * max(1.0, float(wanted.abs().max())):
            raise InputError(
                f"{folder}: '{name}' of the first pages is off by {off:.3g} from what the teacher says now; the page "
                f"images were changed since; {WAY_OUT}"
            )
