"""Pages to a network in batches, in order, holding the pixels of one batch."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.texts import TextInput

T = TypeVar("T")
Forward = Callable[[NDArray[np.uint8]], Iterable[T]]  # [B, H, W, 3] bytes, or [B, L] of texts, to one answer a page


@dataclass(frozen=True)
class Decoded:
    """A page and the (width, height) in pixels of its image as it was read; (0, 0) for a text."""

    page: Page
    size: tuple[int, int]


def streamed(
    pages: Iterable[Page], preprocess: Preprocess | TextInput, forward: "Forward[T]", *, batch: int
) -> Iterator[tuple[Decoded, T] | FailedPage]:
    """Answers in page order; a page that cannot be read comes back as a FailedPage in its place."""
    waiting: list[tuple[Decoded, NDArray[np.uint8]] | FailedPage] = []
    read = 0
    for page in pages:
        waiting.append(_read(page, preprocess))
        read += not isinstance(waiting[-1], FailedPage)
        if read == batch:
            yield from _run(waiting, forward)
            waiting, read = [], 0
    yield from _run(waiting, forward)


def _read(page: Page, preprocess: Preprocess | TextInput) -> tuple[Decoded, NDArray[np.uint8]] | FailedPage:
    try:
        if isinstance(preprocess, TextInput):
            return Decoded(page, (0, 0)), preprocess.of(page)
        image = page.image(preprocess.longest_px)
        return Decoded(page, image.size), preprocess(image)
    except InputError as error:
        return FailedPage(page.id, page.source, page.number, str(error))


def _run(
    waiting: list[tuple[Decoded, NDArray[np.uint8]] | FailedPage], forward: "Forward[T]"
) -> Iterator[tuple[Decoded, T] | FailedPage]:
    pixels = [entry[1] for entry in waiting if not isinstance(entry, FailedPage)]
    answers = iter(forward(np.stack(pixels)) if pixels else ())
    for entry in waiting:
        yield entry if isinstance(entry, FailedPage) else (entry[0], next(answers))
