"""Pages without classes: images, multi-page TIFF and PDF of files and folders, for pre-training and distillation."""

from collections.abc import Sequence
from pathlib import Path

from distildoc.data.pageset import PageSet
from distildoc.data.unreadable import labelled
from distildoc.schema.sources import pages_from


def read(*, path: str | Path | Sequence[str | Path], password: str | None = None) -> PageSet:
    """Every page found, in the order of `pages_from`; damaged files raise when they are read."""
    pages = [labelled(page, None) for page in pages_from(path, password=password)]
    name = Path(path).name if isinstance(path, str | Path) else f"{len(path)} paths"
    return PageSet(tuple(pages), (), f"{name}, unlabelled")
