"""Partial: a cache while it is being filled; stopping at any moment loses a few batches at most.

Rows go to their places in files made beforehand. Every so many batches the data is forced to disk and only then are
the rows marked in `done`, so a row that is marked is whole. Finished, the folder is renamed.
"""

import errno
import json
import os
import shutil
from collections.abc import Sequence
from io import FileIO
from math import prod
from pathlib import Path
from typing import cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from distildoc.core.batch import Key
from distildoc.schema.errors import InputError
from distildoc.schema.writing import FULL
from distildoc.teach.store import Header, Index, array_file, partial_folder, read_header

COMMIT_EVERY = 32  # batches between two times that data is forced to disk and marked as done
DONE = "done"


class Partial:
    """An unfinished cache, open for writing."""

    def __init__(self, folder: Path, header: Header) -> None:
        """Continue in the folder; use `start` or `resume`."""
        self.header = header
        self._folder = folder
        self._index = Index(header, folder)
        self._done = np.fromfile(folder / DONE, dtype=np.uint8)
        self._files = [_open(folder / array_file(number)) for number in range(len(header.slots))]
        self._starts = [file.tell() for file in self._files]
        self._waiting: list[NDArray[np.int64]] = []

    @property
    def done(self) -> int:
        """Rows written, those not yet marked included."""
        return int(self._done.sum())

    def has(self, keys: Sequence[Key]) -> bool:
        """Whether all these rows are there."""
        return bool(self._done[self._index.rows(keys)].all())

    def write(self, keys: Sequence[Key], arrays: Sequence[NDArray[np.floating]]) -> None:
        """One array a slot, [len(keys), *shape]; raises InputError where the disk is full."""
        rows = self._index.rows(keys)
        try:
            for file, start, array in zip(self._files, self._starts, arrays, strict=True):
                data = np.ascontiguousarray(array, dtype=self.header.contents.dtype)
                size = data[0].nbytes
                for row, values in zip(rows.tolist(), data, strict=True):
                    file.seek(start + row * size)
                    if file.write(values.tobytes()) != size:
                        raise OSError(errno.ENOSPC, "short write")
            self._done[rows] = 1
            self._waiting.append(rows)
            if len(self._waiting) >= COMMIT_EVERY:
                self.commit()
        except OSError as error:
            raise _named(error, self._folder) from None

    def commit(self) -> None:
        """Force what was written to disk, then mark it."""
        for file in self._files:
            os.fsync(file.fileno())
        with (self._folder / DONE).open("r+b") as marks:
            marks.write(self._done.tobytes())
        self._waiting.clear()

    def close(self) -> None:
        try:
            self.commit()
        except OSError as error:
            raise _named(error, self._folder) from None
        finally:
            for file in self._files:
                file.close()

    def finish(self, folder: Path) -> None:
        """Give the cache its name; raises InputError where rows are missing."""
        self.close()
        missing = self.header.rows - self.done
        if missing:
            raise InputError(
                f"{self._folder}: {missing} of {self.header.rows} rows were never given; the loader must yield every "
                "page and view once"
            )
        (self._folder / DONE).unlink()
        self._folder.rename(folder)


def start(folder: Path, header: Header) -> Partial:
    """A new unfinished cache for `folder`; raises InputError where the disk has no room for it."""
    need, room = header.rows * row_bytes(header), shutil.disk_usage(_existing(folder)).free
    if need > room:
        raise InputError(
            f"{folder}: the cache needs {need / 2**30:.2f} GiB and the disk has {room / 2**30:.2f} GiB free; use "
            "float16, fewer views, or fewer and smaller features"
        )
    partial = partial_folder(folder)
    try:
        partial.mkdir(parents=True)
        (partial / "pages.json").write_text(json.dumps({"pages": header.pages}), encoding="utf-8")
        (partial / DONE).write_bytes(bytes(header.rows))
        for number, slot in enumerate(header.slots):
            npy.open_memmap(
                str(partial / array_file(number)),
                mode="w+",
                dtype=np.dtype(header.contents.dtype),
                shape=(header.rows, *slot.shape),
            )
        # last: a folder with a header is complete enough to continue
        (partial / "cache.json").write_text(json.dumps(header.to_json(), indent=1), encoding="utf-8")
    except OSError as error:
        raise _named(error, folder) from None
    return Partial(partial, header)


def resume(folder: Path) -> Partial | None:
    """The unfinished cache that a stopped run left for `folder`, or None."""
    partial = partial_folder(folder)
    if not partial.is_dir():
        return None
    if not (partial / "cache.json").is_file():
        shutil.rmtree(partial)  # stopped while it was being laid out
        return None
    header = read_header(partial)
    if not (partial / DONE).is_file() or (partial / DONE).stat().st_size != header.rows:
        raise InputError(f"{partial}: damaged; delete it and run `distildoc cache` again")
    return Partial(partial, header)


def row_bytes(header: Header) -> int:
    """Bytes that one page in one view takes."""
    return sum(prod(slot.shape) for slot in header.slots) * np.dtype(header.contents.dtype).itemsize


def _open(path: Path) -> FileIO:
    """The array's file, unbuffered, standing at its first value."""
    try:
        start = cast(np.memmap, np.load(path, mmap_mode="r", allow_pickle=False)).offset
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: missing or truncated ({error}); delete the folder and cache again") from None
    file = FileIO(path, "r+")
    file.seek(start)
    return file


def _existing(folder: Path) -> Path:
    return next(parent for parent in folder.absolute().parents if parent.is_dir())


def _named(error: OSError, folder: Path) -> OSError | InputError:
    if error.errno in FULL:
        return InputError(f"{folder}: the disk is full; free some space and run again to fill the cache up")
    return error
