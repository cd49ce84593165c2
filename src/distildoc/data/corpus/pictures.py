"""Raster pictures drawn from nothing: landscapes, buildings, still lifes, portraits and micrographs, as JPEG."""

import io
import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Rgb = tuple[int, int, int]
Draw = ImageDraw.ImageDraw


def picture(width_px: int, height_px: int, rng: random.Random, *, colour: bool) -> bytes:
    """A picture of a random motif as JPEG bytes, in grey unless colour is asked for."""
    motif = rng.choice(_MOTIFS)
    return draw_motif(motif, width_px, height_px, rng, colour=colour)


def micrograph(width_px: int, height_px: int, rng: random.Random) -> bytes:
    """A grey micrograph-like texture as JPEG bytes."""
    return draw_motif(_cells, width_px, height_px, rng, colour=False)


def portrait(width_px: int, height_px: int, rng: random.Random, *, colour: bool) -> bytes:
    """A faceless head-and-shoulders picture as JPEG bytes."""
    return draw_motif(_bust, width_px, height_px, rng, colour=colour)


def product(width_px: int, height_px: int, rng: random.Random) -> bytes:
    """A still life in colour as JPEG bytes."""
    return draw_motif(_still_life, width_px, height_px, rng, colour=True)


Motif = Callable[[Image.Image, random.Random], None]


def draw_motif(motif: Motif, width_px: int, height_px: int, rng: random.Random, *, colour: bool) -> bytes:
    """Draw one motif with grain and encode it."""
    image = Image.new("RGB", (width_px, height_px))
    motif(image, rng)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.3)))
    if not colour:
        image = image.convert("L")
    noise = np.random.default_rng(rng.getrandbits(32))
    light = _light(width_px, height_px, noise)
    grain = noise.normal(0.0, rng.uniform(2, 7), (height_px, width_px)).astype(np.float32)
    pixels = np.asarray(image, dtype=np.float32)
    pixels = pixels * (light[..., None] if colour else light) + (grain[..., None] if colour else grain)
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=82)
    return out.getvalue()


def _light(width_px: int, height_px: int, noise: np.random.Generator) -> NDArray[np.float32]:
    """Uneven light and surface texture: smooth noise at four scales, darker to the corners."""
    field = np.ones((height_px, width_px), dtype=np.float32)
    for cells, depth in ((3, 0.13), (7, 0.06), (18, 0.05), (60, 0.05)):
        shape = (max(2, cells * height_px // max(width_px, 1)) + 1, cells + 1)
        coarse = Image.fromarray(noise.uniform(-depth, depth, shape).astype(np.float32))
        field += np.asarray(coarse.resize((width_px, height_px), Image.Resampling.BICUBIC))
    across = np.linspace(-1, 1, width_px, dtype=np.float32)[None, :] ** 2
    down = np.linspace(-1, 1, height_px, dtype=np.float32)[:, None] ** 2
    return field * (1.06 - 0.16 * (across + down))


def _ramp(image: Image.Image, top: Rgb, bottom: Rgb) -> None:
    """Fill with a vertical gradient."""
    height = image.height
    share = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None]
    rows = np.asarray(top, np.float32) * (1 - share) + np.asarray(bottom, np.float32) * share
    pixels: NDArray[np.uint8] = np.repeat(rows[:, None, :], image.width, axis=1).astype(np.uint8)
    image.paste(Image.fromarray(pixels))


def _tone(rng: random.Random, low: int, high: int) -> Rgb:
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def _landscape(image: Image.Image, rng: random.Random) -> None:
    w, h = image.size
    _ramp(image, (rng.randint(90, 170), rng.randint(150, 200), 230), (235, 230, rng.randint(190, 230)))
    draw = ImageDraw.Draw(image)
    sun = rng.uniform(0.1, 0.9) * w
    draw.ellipse((sun - 0.06 * w, 0.12 * h, sun + 0.06 * w, 0.12 * h + 0.12 * w), fill=(255, 246, 214))
    for layer in range(4):
        level = h * (0.42 + 0.13 * layer)
        points, x = [(0.0, float(h))], 0.0
        while x <= w:
            points.append((x, level + rng.uniform(-0.09, 0.05) * h * (1.6 - 0.3 * layer)))
            x += w / rng.uniform(6, 14)
        shade = 150 - 32 * layer
        points += [(float(w), level), (float(w), float(h))]
        draw.polygon(points, fill=(shade - 20, shade + rng.randint(0, 25), shade - 30))
    for _ in range(rng.randint(2, 9)):
        x, y, size = rng.uniform(0, w), rng.uniform(0.75, 0.98) * h, rng.uniform(0.04, 0.1) * h
        draw.polygon([(x - size / 2, y), (x, y - 2.4 * size), (x + size / 2, y)], fill=(30, 52, 34))


def _buildings(image: Image.Image, rng: random.Random) -> None:
    w, h = image.size
    _ramp(image, (180, 200, 222), (238, 236, 226))
    draw = ImageDraw.Draw(image)
    x = -0.05 * w
    while x < w:
        wide, high = rng.uniform(0.1, 0.24) * w, rng.uniform(0.35, 0.85) * h
        tone = _tone(rng, 70, 180)
        draw.rectangle((x, h - high, x + wide, h), fill=tone)
        pane = max(3.0, wide / rng.randint(4, 7))
        for row in range(int(high / (1.6 * pane))):
            for col in range(int(wide / pane)):
                lit = rng.random() < 0.35
                left, top = x + (col + 0.25) * pane, h - high + (row + 0.4) * 1.6 * pane
                draw.rectangle(
                    (left, top, left + 0.5 * pane, top + 0.8 * pane),
                    fill=(245, 232, 180) if lit else (48, 58, 72),
                )
        x += wide * rng.uniform(0.8, 1.25)
    draw.rectangle((0, 0.94 * h, w, h), fill=(60, 60, 64))


def _still_life(image: Image.Image, rng: random.Random) -> None:
    w, h = image.size
    _ramp(image, _tone(rng, 190, 250), _tone(rng, 130, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0.72 * h, w, h), fill=_tone(rng, 80, 140))
    for _ in range(rng.randint(2, 4)):
        x, wide = rng.uniform(0.15, 0.8) * w, rng.uniform(0.1, 0.2) * w
        high, tone, base = rng.uniform(0.3, 0.6) * h, _tone(rng, 40, 220), rng.uniform(0.78, 0.92) * h
        draw.ellipse((x - wide * 0.6, base - 0.03 * h, x + wide, base + 0.05 * h), fill=(60, 55, 55))
        if rng.random() < 0.5:  # a bottle
            draw.rounded_rectangle((x - wide / 2, base - high, x + wide / 2, base), 0.2 * wide, fill=tone)
            draw.rectangle((x - wide / 7, base - 1.4 * high, x + wide / 7, base - high), fill=tone)
            draw.rectangle(
                (x - 0.42 * wide, base - 0.7 * high, x + 0.42 * wide, base - 0.3 * high), fill=(244, 240, 230)
            )
        else:  # a fruit or a ball
            draw.ellipse((x - wide, base - 1.6 * wide, x + 0.6 * wide, base), fill=tone)
            draw.ellipse((x - 0.6 * wide, base - 1.35 * wide, x - 0.3 * wide, base - 1.05 * wide), fill=(250, 250, 244))


def _bust(image: Image.Image, rng: random.Random) -> None:
    w, h = image.size
    tone = rng.randint(120, 220)
    _ramp(image, (tone, tone, min(255, tone + 12)), (tone - 50, tone - 50, tone - 40))
    draw = ImageDraw.Draw(image)
    skin, coat, hair = rng.randint(110, 215), rng.randint(20, 120), _tone(rng, 20, 120)
    cx, head = w * rng.uniform(0.42, 0.58), 0.17 * min(w, h) + 0.06 * h
    draw.ellipse((cx - 2.3 * head, 0.66 * h, cx + 2.3 * head, 1.5 * h), fill=(coat, coat, coat + 20))
    draw.rectangle((cx - 0.4 * head, 0.5 * h, cx + 0.4 * head, 0.72 * h), fill=(skin - 25, skin - 40, skin - 55))
    draw.ellipse((cx - 1.1 * head, 0.14 * h, cx + 1.1 * head, 0.14 * h + 2.3 * head), fill=hair)
    draw.ellipse(
        (cx - 0.85 * head, 0.2 * h, cx + 0.85 * head, 0.2 * h + 2.35 * head),
        fill=(skin, skin - 20, skin - 40),
    )


def _cells(image: Image.Image, rng: random.Random) -> None:
    _ramp(image, (150, 150, 150), (125, 125, 125))
    draw = ImageDraw.Draw(image)
    w, h = image.size
    for _ in range(rng.randint(30, 90)):
        x, y, r, tone = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(2, 0.07 * w), rng.randint(60, 225)
        draw.ellipse((x - r, y - r, x + r, y + r * rng.uniform(0.6, 1.1)), fill=(tone,) * 3, outline=(tone // 2,) * 3)
    draw.rectangle((0.72 * w, 0.92 * h, 0.93 * w, 0.94 * h), fill=(250, 250, 250))


_MOTIFS: tuple[Motif, ...] = (_landscape, _buildings, _still_life, _bust, _landscape, _still_life)
