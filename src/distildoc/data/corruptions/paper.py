"""What dirt, age and lamps do to a page: noise of scanners, tinted paper under uneven light."""

import math

import numpy as np

from distildoc.data.corpus.scan import noise
from distildoc.data.corruptions.planes import LUMA, Pixels, Plane, Rng, as_bytes, grid, over, spread

GRAINS = 700  # along the longest side: about 60 an inch of a letter
BLOTCHES = 110  # along the longest side; dirt that is still seen at the size of a network
GRAIN = (10.0, 18.0, 29.0, 43.0, 60.0)  # standard deviation of a grain, in grey levels
BLOTCH = (4.0, 8.0, 14.0, 22.0, 32.0)  # of a blotch
DOTS = (0.001, 0.003, 0.007, 0.014, 0.026)  # share of grains that are black or white
STREAKS = (1, 2, 4, 7, 11)  # lines down the page, from dirt on the sensor
STREAK = (60.0, 80.0, 105.0, 130.0, 160.0)  # their depth, in grey levels

CASTS = (  # share of red, green and blue that paper or lamp leaves
    (1.0, 0.90, 0.62),  # yellowed paper
    (0.92, 0.74, 0.52),  # brown paper
    (1.0, 0.76, 0.74),  # pink form
    (0.66, 0.80, 1.0),  # blue form
    (0.74, 0.95, 0.70),  # green form, or an old tube lamp
)
CAST = (0.25, 0.45, 0.65, 0.85, 1.1)  # how much of it
SHADE = (0.12, 0.22, 0.34, 0.47, 0.62)  # share of the light that is missing where it is darkest
FADE = (0.04, 0.10, 0.17, 0.25, 0.34)  # share of the ink that is gone
CELLS = 48  # of the light, along the longest side


def scan_noise(pixels: Pixels, severity: int, rng: Rng) -> Pixels:
    """Grain, blotches, salt and pepper, and streaks down the page, some of them broken."""
    rows, columns = shape = grid(pixels.shape, GRAINS)
    level = severity - 1
    plane = noise(rng, shape, GRAIN[level]) + spread(noise(rng, grid(shape, BLOTCHES), BLOTCH[level]), shape)
    chance = rng.random(shape, dtype=np.float32)
    plane[chance < DOTS[level] / 2] = -255
    plane[chance > 1 - DOTS[level] / 2] = 255
    for where, tone, broken in rng.random((STREAKS[-1], 3))[: STREAKS[level]].tolist():
        depth = np.float32(STREAK[level] * (0.6 + 0.4 * tone) * (-1 if tone < 0.75 else 1))  # most are dark
        gaps = np.sin(np.arange(rows, dtype=np.float32) * np.float32(0.02 + 0.1 * tone) + 6 * where) > 1.5 * broken - 1
        plane[:, int(where * columns)] += depth * gaps
    return as_bytes(pixels + over(spread(plane, pixels.shape), pixels))


def colour(pixels: Pixels, severity: int, rng: Rng) -> Pixels:
    """Faded ink on tinted paper, lit from one side. A grey page gets the grey of the tint, and the light alike."""
    level = severity - 1
    kind, side, far, strength = rng.random(4).tolist()
    cast = 1 - CAST[level] * (0.8 + 0.2 * strength) * (1 - np.array(CASTS[int(kind * len(CASTS))], np.float32))
    light = 1 - np.float32(SHADE[level]) * _dark(grid(pixels.shape, CELLS), side, far)
    faded = 255 * FADE[level] + (1 - FADE[level]) * pixels.astype(np.float32)
    tint = cast if pixels.ndim == 3 else np.float32(cast @ np.array(LUMA, np.float32))
    return as_bytes(faded * over(spread(light, pixels.shape), pixels) * tint)


def _dark(shape: tuple[int, int], side: float, far: float) -> Plane:
    """0 where the light falls to 1 in the opposite corner or edge; `far` bends the fall towards the dark end."""
    down, right = np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1])
    angle = 2 * math.pi * side
    along = math.sin(angle) * down[:, None] + math.cos(angle) * right[None, :]
    share = (along - along.min()) / max(np.ptp(along), 1e-6)
    return np.asarray(share ** (0.8 + 1.2 * far), dtype=np.float32)
