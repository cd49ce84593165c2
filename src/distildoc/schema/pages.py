"""Page: one document page with a stable id, whose pixels are read on demand."""

from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

Loader = Callable[[int | None], Image.Image]


@dataclass(frozen=True)
class Page:
    """One page of a document.

    id      stable across runs and machines: path relative to the root the user named, `#n` for page n of a file.
    source  the file as the user named it.
    number  1-based page number inside the source.
    load    reads the pixels; gets the longest side in pixels that is of use (None: as stored) and may return more.
    label   the true class, by name; None where it is not known.
    """

    id: str
    source: str
    number: int
    load: Loader = field(repr=False, compare=False)
    label: str | None = None

    def image(self, longest_px: int | None = None) -> Image.Image:
        """Pixels as an RGB or L image; raises InputError naming the page when they cannot be read."""
        return self.load(longest_px)


@dataclass(frozen=True)
class FailedPage:
    """A page or file that could not be read: where, and why in one line."""

    id: str
    source: str
    number: int
    reason: str
