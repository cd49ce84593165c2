"""Pages to pixels, or texts to bytes, one document at a time."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.texts import TextInput

Decoded = tuple[Page, NDArray[np.uint8]] | FailedPage


def pixels_of(page: Page | FailedPage, preprocess: Preprocess | TextInput) -> NDArray[np.uint8] | FailedPage:
    """[height, width, 3] bytes of a page, or [L] of a text; or why there are none."""
    if isinstance(page, FailedPage):
        return page
    try:
        return preprocess.of(page)
    except InputError as error:
        return FailedPage(page.id, page.source, page.number, str(error))


def decoded(pages: Iterable[Page | FailedPage], preprocess: Preprocess | TextInput) -> Iterator[Decoded]:
    """Each page is decoded before the next is asked for, so that a document is open only once."""
    for page in pages:
        pixels = pixels_of(page, preprocess)
        if isinstance(pixels, FailedPage):
            yield pixels
        elif isinstance(page, Page):
            yield page, pixels
