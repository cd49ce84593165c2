"""The scan model: what paper, glass and lamp do to a page before it is a file.

A page is darkened paper times ink, plus sensor noise; the regimes differ in how much of each. Noise comes from
one tile per process, rolled to a random place, because drawing fresh noise would cost more than all the rest.
Skew and shift happen earlier, in the vector rendering, where they are free and blur nothing.
"""

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from distildoc.data.corpus.raster import Pixels

Plane = NDArray[np.float32]
Rng = np.random.Generator

_TILE = 1536  # side of the noise tile in pixels; larger than a page, so that rolls seldom repeat on it


@dataclass(frozen=True)
class ScanPlan:
    """Settings of one scan, drawn before rendering because skew and shift belong to the placement."""

    regime: str
    skew_deg: float
    shift_px: tuple[float, float]
    colour: bool


def plan_plain_scan(rng: Rng, *, colour: bool) -> ScanPlan:
    """A flatbed scan, photocopy, archive scan or fax, as in a paper archive."""
    regime = str(rng.choice(("flatbed", "photocopy", "archive", "fax"), p=(0.4, 0.25, 0.2, 0.15)))
    spread = {"flatbed": 0.4, "photocopy": 0.9, "archive": 0.7, "fax": 0.8}[regime]
    skew = float(np.clip(rng.normal(0.0, spread), -2.0, 2.0))
    shift = (float(rng.normal(0.0, 4.0)), float(rng.normal(0.0, 4.0)))
    return ScanPlan(regime, skew, shift, colour and regime != "fax")


@lru_cache(maxsize=1)
def _noise_tile() -> Plane:
    """Unit Gaussian noise, the same in every process and for every corpus."""
    return np.random.default_rng(20260).standard_normal((_TILE, _TILE)).astype(np.float32)


def noise(rng: Rng, shape: tuple[int, int], sigma: float) -> Plane:
    """Gaussian noise in grey levels, cut from the tile at a random place."""
    height, width = shape
    top, left = int(rng.integers(0, _TILE - height)), int(rng.integers(0, _TILE - width))
    cut: Plane = _noise_tile()[top : top + height, left : left + width] * np.float32(sigma)
    return cut


def uneven(rng: Rng, shape: tuple[int, int], depth: float) -> Plane:
    """A smooth random field around 0 with the given depth in grey levels: dirty glass, old paper, poor light."""
    height, width = shape
    coarse = rng.uniform(-depth, depth, (5, 4)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)


def plain_scan(page: Pixels, ghost: Pixels, plan: ScanPlan, rng: Rng) -> bytes:
    """Scan a rendered page in the plan's regime and return the JPEG.

    `ghost` is another grey page, of which the archive regime shows the mirrored back of the sheet.
    """
    if plan.regime == "fax":
        return _fax(page, rng)
    shape = page.shape[:2]
    paper = np.full(shape, rng.uniform(*_PAPER_LEVEL[plan.regime]), dtype=np.float32)
    paper += uneven(rng, shape, {"flatbed": 2.0, "photocopy": 5.0, "archive": 13.0}[plan.regime])
    if plan.regime == "archive" or rng.random() < 0.15:
        paper -= bleed(ghost, shape, rng)
    if plan.regime != "flatbed":
        _edge_shadow(paper, rng)
    soft = _blurred(page, float(rng.uniform(0.0, 0.75)))
    ink = float(rng.uniform(0.0, 45.0))  # grey level of full ink: toner fades
    sheet = paper[..., None] if page.ndim == 3 else paper
    out = ink + (sheet - ink) * (soft.astype(np.float32) / 255.0)
    grain = noise(rng, shape, float(rng.uniform(1.5, 7.0 if plan.regime == "archive" else 4.5)))
    out += grain[..., None] if page.ndim == 3 else grain
    if plan.regime == "photocopy":
        out = (out - 128.0) * rng.uniform(1.15, 1.5) + 135.0
    pixels: Pixels = np.clip(out, 0, 255).astype(np.uint8)
    _specks(pixels, rng, int(70 * rng.random() ** 3))
    if rng.random() < 0.3:
        _punch_holes(pixels, rng)
    return encode(pixels, int(rng.integers(45, 88)))


_PAPER_LEVEL = {"flatbed": (240.0, 255.0), "photocopy": (228.0, 252.0), "archive": (204.0, 240.0)}


def _fax(page: Pixels, rng: Rng) -> bytes:
    """Two levels with ragged edges, streaks and specks."""
    rough = page.astype(np.float32) + noise(rng, page.shape[:2], float(rng.uniform(10, 28)))
    pixels: Pixels = np.where(rough > rng.uniform(130, 180), 255, 0).astype(np.uint8)
    _specks(pixels, rng, int(rng.integers(60, 500)))
    for _ in range(int(rng.integers(0, 3))):  # a dirty sensor draws a line down the page
        column = int(rng.integers(0, pixels.shape[1]))
        pixels[:, column] = np.where(rng.random(pixels.shape[0]) < 0.4, 0, pixels[:, column])
    return encode(pixels, int(rng.integers(70, 90)))


def bleed(ghost: Pixels, shape: tuple[int, int], rng: Rng) -> Plane:
    """Darkening in grey levels by the mirrored print of the back, shifted by some millimetres."""
    rows = np.arange(shape[0]) + int(rng.integers(-40, 40))
    columns = np.arange(shape[1])[::-1] + int(rng.integers(-25, 25))
    back = ghost.take(rows, axis=0, mode="wrap").take(columns, axis=1, mode="wrap")
    return (255.0 - back.astype(np.float32)) * np.float32(rng.uniform(0.04, 0.13))


def _blurred(page: Pixels, radius: float) -> Pixels:
    if radius < 0.25:
        return page
    return np.asarray(Image.fromarray(page).filter(ImageFilter.GaussianBlur(radius)))


def _edge_shadow(paper: Plane, rng: Rng) -> None:
    """Darken one or two edges in place: a lid that was not shut, or the gutter of a bound volume."""
    height, width = paper.shape
    for edge in rng.permutation(4)[: int(rng.integers(0, 3))]:
        length = height if edge < 2 else width
        reach, depth = float(rng.uniform(5, 45)), float(rng.uniform(20, 110))
        fall = (depth * np.exp(-np.arange(length) / reach)).astype(np.float32)
        fall = fall[::-1] if edge % 2 else fall
        paper -= fall[:, None] if edge < 2 else fall[None, :]


def _specks(pixels: Pixels, rng: Rng, count: int) -> None:
    """Dust: single dark pixels and some of two by two, in place."""
    height, width = pixels.shape[:2]
    ys, xs = rng.integers(0, height - 1, count), rng.integers(0, width - 1, count)
    tone = rng.integers(20, 130, count).astype(np.uint8)
    value = tone[:, None] if pixels.ndim == 3 else tone
    pixels[ys, xs] = value
    large = slice(0, count // 3)
    for dy, dx in ((0, 1), (1, 0), (1, 1)):
        pixels[ys[large] + dy, xs[large] + dx] = value[large]


def _punch_holes(pixels: Pixels, rng: Rng) -> None:
    """Two or three punched holes near the left edge, in place."""
    height = pixels.shape[0]
    count, radius = int(rng.integers(2, 4)), int(rng.integers(9, 13))
    cx = int(rng.integers(24, 38))
    tone = int(rng.choice((15, 40, 120, 205)))
    spacing = 0.27 * height if count == 2 else 0.38 * height
    grid_y, grid_x = np.ogrid[-radius - 1 : radius + 2, -radius - 1 : radius + 2]
    distance = grid_y**2 + grid_x**2
    for number in range(count):
        cy = int(height / 2 + (number - (count - 1) / 2) * spacing)
        patch = pixels[cy - radius - 1 : cy + radius + 2, cx - radius - 1 : cx + radius + 2]
        patch[distance <= (radius + 1) ** 2] = max(0, tone - 60)
        patch[distance <= (radius - 1) ** 2] = tone


def encode(pixels: Pixels, quality: int) -> bytes:
    """The pixels as JPEG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return out.getvalue()
