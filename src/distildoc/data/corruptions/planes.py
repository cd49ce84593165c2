"""What all corruptions share: grids laid over a page, of which a field of light, noise or ink is spread."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # [H, W] grey or [H, W, 3] RGB
Plane = NDArray[np.float32]  # [H, W]
Boxes = NDArray[np.float64]  # [N, 4] left, top, right, bottom
Rng = np.random.Generator

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns RGB into grey


def grid(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """(rows, columns) of a grid over a page of that shape, with square cells and so many along the longest side."""
    scale = longest / max(shape[:2])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def spread(field: Plane, shape: tuple[int, ...]) -> Plane:
    """A field over the whole page: between cells in a straight line, their mean where pixels are larger than cells."""
    size = shape[1], shape[0]
    return np.asarray(Image.fromarray(field).resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def over(plane: Plane, pixels: Pixels | Plane) -> Plane:
    """The plane with an axis for the channels of the pixels, where they have one."""
    return plane if pixels.ndim == 2 else plane[..., None]


def as_bytes(values: NDArray[np.float32]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
