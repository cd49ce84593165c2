"""What scanners, cameras and files do to the picture of a page: turned, out of focus, coarse, compressed."""

import io
import math

import numpy as np
from PIL import Image, ImageFilter

from distildoc.data.corruptions.planes import Boxes, Pixels, Rng, as_bytes, grid

SKEW_DEG = (1.5, 3.5, 6.0, 9.5, 14.0)  # largest turn either way, degrees; at least 0.7 of it
BLUR = (0.0012, 0.0024, 0.0042, 0.0070, 0.0110)  # standard deviation of a spot, as a share of the longest side
MOTION = 2.4  # half-length of a movement in such deviations; sqrt(3) would blur its one axis as much as a spot
JPEG_LONGEST = 640  # pixels of the longest side at which a page is compressed
QUALITY = (20, 12, 7, 4, 2)  # of Pillow's JPEG, 1 to 95
LONGEST_PX = (360, 240, 160, 110, 72)  # longest side of the coarse picture


def skew_deg(severity: int, rng: Rng) -> float:
    """By how much a page is turned, degrees against the clock."""
    sign, share = rng.random(2).tolist()
    return math.copysign(SKEW_DEG[severity - 1] * (0.7 + 0.3 * share), sign - 0.5)


def skew(pixels: Pixels, severity: int, rng: Rng) -> Pixels:
    """The page turned about its middle; what comes in from outside is white."""
    image = Image.fromarray(pixels)
    white = (255, 255, 255) if pixels.ndim == 3 else 255
    return np.asarray(image.rotate(skew_deg(severity, rng), Image.Resampling.BICUBIC, fillcolor=white))


def turned(boxes: Boxes, angle_deg: float, size: tuple[int, int]) -> Boxes:
    """The upright boxes around boxes [N, 4] turned about the middle of a page of (width, height) `size`."""
    middle = np.array(size) / 2
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] - middle  # [N, 4 corners, 2]
    found = corners @ np.array([[cos, -sin], [sin, cos]]) + middle  # y points down
    return np.concatenate([found.min(axis=1), found.max(axis=1)], axis=1)


def blur(pixels: Pixels, severity: int, rng: Rng) -> Pixels:
    """Half the pages are out of focus, a quarter each moved along or across the feed."""
    spot = BLUR[severity - 1] * max(pixels.shape[:2])
    cause = rng.random()
    image = Image.fromarray(pixels)
    if cause < 0.5:
        return np.asarray(image.filter(ImageFilter.GaussianBlur(spot)))
    reach = MOTION * spot
    return np.asarray(image.filter(ImageFilter.BoxBlur((reach, 0) if cause < 0.75 else (0, reach))))


def jpeg(pixels: Pixels, severity: int, rng: Rng) -> Pixels:
    """What compression changes in a page of JPEG_LONGEST pixels, laid over the page."""
    image = Image.fromarray(pixels)
    rows, columns = grid(pixels.shape, JPEG_LONGEST)
    small = image.resize((columns, rows), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=QUALITY[severity - 1])
    back, before = (one.resize(image.size, Image.Resampling.BILINEAR) for one in (Image.open(file), small))
    return as_bytes(pixels.astype(np.float32) + np.asarray(back) - np.asarray(before))


def low_resolution(pixels: Pixels, severity: int, rng: Rng) -> Pixels:
    """The page read with too few pixels and brought back to its size; a page that has no more stays as it is."""
    longest = LONGEST_PX[severity - 1]
    if longest >= max(pixels.shape[:2]):
        return pixels
    image = Image.fromarray(pixels)
    rows, columns = grid(pixels.shape, longest)
    coarse = image.resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(coarse.resize(image.size, Image.Resampling.BILINEAR))
