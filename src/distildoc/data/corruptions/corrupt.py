"""Corruptions by name: what happens to the pixels of a page, and to the boxes on it.

A damaged page is a pure function of pixels, kind, severity, seed and page id. The severities of a page share their
draws: the harsher one has the same streaks, the same stamps, the same direction, only more of it. So severities differ
by strength and not by luck. All strengths are shares of the page, so that a page of 256 pixels and one of 2,500 have
lost the same once both are brought to the size of a network.

The plan follows ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261): kinds of damage that no student was
trained on, five severities, means over them. The kinds and their strengths are ours.

Cost: 1 to 40 ms for a grey page of 1,000 x 773 pixels on one core.
"""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from distildoc.data.corruptions.bits import fax
from distildoc.data.corruptions.lens import blur, jpeg, low_resolution, skew, skew_deg, turned
from distildoc.data.corruptions.marks import stamps
from distildoc.data.corruptions.paper import colour, scan_noise
from distildoc.data.corruptions.planes import Boxes, Pixels, Rng
from distildoc.schema.errors import ConfigError, closest

VERSION = 1  # of the drawing; damaged pages of another version are made anew
SEVERITIES = (1, 2, 3, 4, 5)
KINDS: Mapping[str, Callable[[Pixels, int, Rng], Pixels]] = {
    "scan_noise": scan_noise,
    "skew": skew,
    "blur": blur,
    "jpeg": jpeg,
    "low_resolution": low_resolution,
    "stamps": stamps,
    "colour": colour,
    "fax": fax,
}


def corrupted(image: Image.Image, kind: str, *, severity: int, seed: int, page: str) -> Image.Image:
    """The page, damaged: an image of the same size, RGB or L as it was.

    seed, page  a number and the id of the page, which decide all draws together with the kind.

    Raises ConfigError for a kind or severity that is none of ours.
    """
    _check(kind, severity)
    pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    return Image.fromarray(KINDS[kind](pixels, severity, _draws(kind, seed, page)))


def moved(boxes: Boxes, kind: str, *, severity: int, seed: int, page: str, size: tuple[int, int]) -> Boxes:
    """Where boxes [N, 4] (left, top, right, bottom) of a page of (width, height) `size` lie once it is damaged.

    A turned box gives the upright box around it, which may reach over the edge of the page.
    """
    _check(kind, severity)
    if kind != "skew" or not len(boxes):
        return boxes
    return turned(boxes, skew_deg(severity, _draws(kind, seed, page)), size)


def _check(kind: str, severity: int) -> None:
    if kind not in KINDS:
        raise ConfigError(f"no corruption '{kind}'; {closest(kind, KINDS)}")
    if severity not in SEVERITIES:
        raise ConfigError(f"corruption '{kind}': no severity {severity}; there are {list(SEVERITIES)}")


def _draws(kind: str, seed: int, page: str) -> Rng:
    digest = hashlib.blake2b(f"{seed}\0{kind}\0{page}".encode(errors="surrogateescape"), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
