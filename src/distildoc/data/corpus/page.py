"""One page of the corpus, from its number to its pixels, words and regions.

A page depends on the seed, the look and its number alone: its random streams are seeded by those three, so it is
the same page whatever else is made beside it.
"""

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from distildoc.data.corpus.camera import plan_shifted_scan, shifted_scan
from distildoc.data.corpus.classes import PAGE_CLASSES
from distildoc.data.corpus.look import plain_look, shifted_look
from distildoc.data.corpus.raster import Pixels, Placement, place, render
from distildoc.data.corpus.scan import plain_scan, plan_plain_scan
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.templates import PLAIN, SHIFTED, Template
from distildoc.data.corpus.writer import Writer

PxBox = tuple[float, float, float, float]

LETTER_PT = (612.0, 792.0)
A4_PT = (595.0, 842.0)
_COLOURED = ("advertisement", "presentation")  # classes that come in colour even in the plain corpus


@dataclass(frozen=True)
class PageKey:
    """What a page is made from: the corpus seed, which twin, and the page's number from 0."""

    seed: int
    shift: bool
    number: int

    @property
    def label(self) -> str:
        """The page's class; classes take turns."""
        return PAGE_CLASSES[self.number % len(PAGE_CLASSES)]

    @property
    def page_id(self) -> str:
        """A name that stays unique when corpora are put together."""
        return f"{'shift' if self.shift else 'plain'}-{self.seed}-{self.number:06d}"

    def stream(self, purpose: str) -> random.Random:
        """A random stream of this page's own."""
        return random.Random(f"{self.seed}/{self.shift}/{self.number}/{purpose}")


@dataclass(frozen=True)
class MadePage:
    """A finished page: its JPEG and vector PDF, and what is where, in pixels of the image (x0, y0, x1, y1)."""

    key: PageKey
    jpeg: bytes
    pdf: bytes
    width_px: int
    height_px: int
    words: list[tuple[str, PxBox]]
    regions: list[tuple[str, PxBox]]
    facts: dict[str, str]
    template: str
    regime: str


def make_page(key: PageKey) -> MadePage:
    """Typeset, render and scan one page."""
    sheet, template = typeset(key)
    size_pt = (sheet.width, sheet.height)
    pdf = sheet.pdf()
    rng = np.random.default_rng(key.stream("scan").getrandbits(63))
    if key.shift:
        plan = plan_shifted_scan(rng)
    else:
        plan = plan_plain_scan(rng, colour=key.label in _COLOURED and rng.random() < 0.5)
    placement = place(size_pt, plan.skew_deg, plan.shift_px)
    pixels = render(pdf, placement, colour=plan.colour)
    if key.shift:
        jpeg, placement = shifted_scan(pixels, placement, plan, rng)
    else:
        ghost = _ghosts()[int(rng.integers(0, len(_GHOST_CLASSES)))]
        jpeg = plain_scan(pixels, ghost, plan, rng)
    return _made(key, sheet, placement, jpeg, (pdf, template, plan.regime))


def _made(key: PageKey, sheet: Sheet, placement: Placement, jpeg: bytes, rest: tuple[bytes, str, str]) -> MadePage:
    pdf, template, regime = rest
    words = [(word.text, box) for word in sheet.words if (box := placement.box(word.box))]
    regions = [(region.kind, box) for region in sheet.regions if (box := placement.box(region.box))]
    return MadePage(
        key=key,
        jpeg=jpeg,
        pdf=pdf,
        width_px=placement.width_px,
        height_px=placement.height_px,
        words=words,
        regions=regions,
        facts=sheet.facts,
        template=template,
        regime=regime,
    )


def typeset(key: PageKey) -> tuple[Sheet, str]:
    """Draw the vector page of a key; return it with the name of its template."""
    rng = key.stream("layout")
    return _drawn(key.label, key.shift, rng)


def _drawn(label: str, shift: bool, rng: random.Random) -> tuple[Sheet, str]:
    look = shifted_look(rng) if shift else plain_look(label, rng)
    template: Template = rng.choice((SHIFTED if shift else PLAIN)[label])
    if label == "presentation":
        size = rng.choice(((720.0, 540.0), (720.0, 405.0)) if shift else ((720.0, 540.0), (792.0, 612.0)))
    else:
        size = A4_PT if rng.random() < (0.7 if shift else 0.25) else LETTER_PT
    sheet = Sheet(size, look, rng)
    template(sheet, Writer(rng, since=2004 if shift else 1990 if label == "email" else 1968))
    return sheet, template.__name__


_GHOST_CLASSES = ("letter", "specification", "memo", "news_article")


@lru_cache(maxsize=1)
def _ghosts() -> tuple[Pixels, ...]:
    """Four blurred grey pages that shine through; fixed, so that no page depends on another."""
    backs = []
    for label in _GHOST_CLASSES:
        sheet, _ = _drawn(label, False, random.Random(f"ghost/{label}"))
        placement = place((sheet.width, sheet.height))
        sharp = Image.fromarray(render(sheet.pdf(), placement, colour=False))
        backs.append(np.asarray(sharp.filter(ImageFilter.GaussianBlur(1.3))))
    return tuple(backs)
