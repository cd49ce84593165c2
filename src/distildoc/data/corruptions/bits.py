"""A fax of a page: black or white, few dots, lines lost on the way."""

import numpy as np
from PIL import Image

from distildoc.data.corpus.scan import noise
from distildoc.data.corruptions.planes import Pixels, Rng, as_bytes, grid

DOTS = (1140, 800, 560, 400, 290)  # along the longest side; a letter by fax has 1,078 (98 an inch), or twice that
ROUGH = (6.0, 12.0, 20.0, 30.0, 42.0)  # standard deviation of the noise before the decision, in grey levels
LOST = (0.002, 0.006, 0.014, 0.028, 0.05)  # share of the lines that are lost, or smeared
INK = 0.66  # darker than this share of the paper is black
HALFTONE = 0.4  # share of the pages that are dithered instead


def fax(pixels: Pixels, severity: int, rng: Rng) -> Pixels:
    """Two levels, decided by a threshold or by Floyd and Steinberg's dithering, then white and smeared lines."""
    level = severity - 1
    image = Image.fromarray(pixels)
    rows, columns = grid(pixels.shape, DOTS[level])
    halftone = rng.random() < HALFTONE
    grey = np.asarray(image.convert("L").resize((columns, rows), Image.Resampling.BILINEAR), dtype=np.float32)
    paper = max(128.0, float(np.median(grey)))
    rough = grey + noise(rng, (rows, columns), ROUGH[level])
    if halftone:
        bits = np.array(Image.fromarray(as_bytes(rough * (250 / paper))).convert("1").convert("L"))
    else:
        bits = np.where(rough < INK * paper, 0, 255).astype(np.uint8)
    _lose_lines(bits, LOST[level], rng)
    back = Image.fromarray(bits).resize(image.size, Image.Resampling.BOX)
    return np.asarray(back.convert(image.mode))


def _lose_lines(bits: Pixels, share: float, rng: Rng) -> None:
    """In place: most lost lines repeat a dot along a stretch, the others are white."""
    rows, columns = bits.shape
    for place, start, length, kind in rng.random((round(LOST[-1] * DOTS[0]), 4))[: round(share * rows) + 1].tolist():
        row, first = int(place * rows), int(start * columns)
        stretch = slice(first, first + max(1, int((0.2 + 0.8 * length) * columns)))
        bits[row, stretch] = 255 if kind < 0.45 else 0
