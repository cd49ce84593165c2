"""The shifted twin's imaging: clean exports, telephone photographs and careless low-resolution scans."""

import numpy as np
from PIL import Image, ImageFilter

from distildoc.data.corpus.raster import Matrix, Pixels, Placement
from distildoc.data.corpus.scan import Rng, ScanPlan, encode, noise, uneven


def plan_shifted_scan(rng: Rng) -> ScanPlan:
    """A clean export, a photograph or a careless scan, always in colour."""
    regime = str(rng.choice(("export", "photo", "careless"), p=(0.4, 0.4, 0.2)))
    skew = float(rng.normal(0.0, 1.6)) if regime == "careless" else 0.0
    return ScanPlan(regime, skew, (0.0, 0.0), colour=True)


def shifted_scan(page: Pixels, placement: Placement, plan: ScanPlan, rng: Rng) -> tuple[bytes, Placement]:
    """Image a rendered page in the plan's regime; return the JPEG and where the page is in it."""
    if plan.regime == "export":
        return encode(page, int(rng.integers(82, 96))), placement
    if plan.regime == "photo":
        return _photo(page, placement, rng)
    return _careless(page, rng), placement


def _homography(source: list[tuple[float, float]], target: list[tuple[float, float]]) -> Matrix:
    """The 3 x 3 matrix that maps four source points to four target points."""
    rows, right = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    solved = np.linalg.solve(np.array(rows, dtype=np.float64), np.array(right, dtype=np.float64))
    return np.append(solved, 1.0).reshape(3, 3)


def _photo(page: Pixels, placement: Placement, rng: Rng) -> tuple[bytes, Placement]:
    """A sheet on a table under uneven light, seen from an angle."""
    height, width = page.shape[:2]
    corners = [(0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height))]
    inward = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    moved = [
        (x + sx * rng.uniform(0.0, 0.055) * width, y + sy * rng.uniform(0.0, 0.045) * height)
        for (x, y), (sx, sy) in zip(corners, inward, strict=True)
    ]
    back = _homography(moved, corners)
    grey, warm = int(rng.integers(40, 150)), int(rng.integers(0, 45))  # stone to wood
    table = (grey + warm, grey + warm // 2, grey)
    seen = Image.fromarray(page).transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        tuple(back.ravel()[:8]),
        Image.Resampling.BILINEAR,
        fillcolor=table,
    )
    if rng.random() < 0.5:
        seen = seen.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 0.9))))
    light = uneven(rng, (height, width), float(rng.uniform(0.03, 0.10))) + np.float32(rng.uniform(0.8, 0.95))
    cast = np.array([rng.uniform(0.96, 1.04), 1.0, rng.uniform(0.86, 1.02)], dtype=np.float32)
    out = np.asarray(seen, dtype=np.float32) * light[..., None] * cast
    out += noise(rng, (height, width), float(rng.uniform(1.5, 5.0)))[..., None]
    pixels: Pixels = np.clip(out, 0, 255).astype(np.uint8)
    return encode(pixels, int(rng.integers(38, 78))), placement.then(_homography(corners, moved))


def _careless(page: Pixels, rng: Rng) -> bytes:
    """Too few dots an inch, tinted paper, heavy compression."""
    height, width = page.shape[:2]
    share = float(rng.uniform(0.58, 0.8))
    small = Image.fromarray(page).resize((int(width * share), int(height * share)), Image.Resampling.BILINEAR)
    tint = np.array([255.0, rng.uniform(244, 255), rng.uniform(222, 250)], dtype=np.float32) / 255.0
    soft = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    out = soft * tint * np.float32(rng.uniform(0.82, 1.0)) + np.float32(rng.uniform(0, 28))
    return encode(np.clip(out, 0, 255).astype(np.uint8), int(rng.integers(22, 45)))
