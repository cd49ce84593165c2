"""Page: one document page with a stable id, whose pixels are read on demand."""

from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

Loader = Callable[[int | None], Image.Image]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class Region:
    """A labelled box on a page, in pixels of `Page.size`; `crowd` boxes (COCO iscrowd) are neither hit nor missed.

    score   how sure whoever found it was, above 0 and at most 1: what people marked is certain.
    """

    label: str
    box: Box
    crowd: bool = False
    score: float = 1.0


@dataclass(frozen=True)
class Page:
    """One page of a document.

    id      stable across runs and machines: path relative to the root the user named, `#n` for page n of a file.
    source  the file as the user named it.
    number  1-based page number inside the source.
    load    reads the pixels; gets the longest side in pixels that is of use (None: as stored) and may return more.
    label   the true class, by name; None where it is not known.
    regions the true layout; None where it is not known, empty for a page that has none.
    size    (width, height) in pixels that the regions are counted in; the stored image may have another.
    group   kind of document, e.g. a DocLayNet category, for scores by group; None where it is not known.
    document  the document the page is from, where the source is an image of one of its pages; None: the source itself.
    text    the text, of a record that is one and has no pixels (schema/texts.py); None for a page.
    """

    id: str
    source: str
    number: int
    load: Loader = field(repr=False, compare=False)
    label: str | None = None
    regions: tuple[Region, ...] | None = None
    size: tuple[int, int] | None = None
    group: str | None = None
    document: str | None = None
    text: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.regions is not None and (self.size is None or min(self.size) < 1):
            raise ValueError(f"page '{self.id}': its regions need the size they are counted in, got {self.size}")

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
