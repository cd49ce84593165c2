"""New files and folders appear whole or not at all: written under another name, renamed at the end."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distildoc.schema.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which replaces it when the block ends without an error.

    After an error nothing is left behind; a full disk becomes an InputError that names the file.
    """
    path = Path(path)
    with _full_disk_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`, which replaces it when the block ends without an error.

    A folder that stood there before is removed only after the new one is complete.
    """
    path = Path(path)
    with _full_disk_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        temporary.chmod(0o777 & ~_umask())
        try:
            yield temporary
            _swap(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_files(folder: Path) -> Iterator[Path]:
    """A temporary folder whose content moves into `folder` when the block ends without an error; other files stay.

    A folder inside it replaces one of the same name as a whole. After an error `folder` is as it was, and is not there
    if it was not.
    """
    folder = Path(folder)
    with _full_disk_named(folder):
        fresh = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=folder))
        try:
            yield temporary
            for file in sorted(temporary.iterdir()):
                if file.is_dir():
                    _swap(file, folder / file.name)
                else:
                    file.replace(folder / file.name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            if fresh and not any(folder.iterdir()):
                folder.rmdir()


def _swap(new: Path, path: Path) -> None:
    """Put the new folder in place; the old one goes last."""
    if not path.exists():
        new.rename(path)
        return
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _full_disk_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise InputError(f"{path}: the disk is full; free some space and run again, nothing was written") from None
        raise
