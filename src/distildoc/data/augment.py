"""Augmentation of page images: what scanning and copying do to a page, and nothing that changes its meaning.

A view is a pure function of pixels, key and seed: a counter-based generator is keyed by a hash of (seed, page id,
augmentation id), so any process draws the same view again without having drawn the others, and a teacher's outputs
can be cached for a bounded number of views. Grey pages stay grey. Augmentation id 0 is the page as it is. `boxes`
says where the regions of a page have moved to in a view.

Cost: about 0.3 ms for a grey page of 128 x 128 pixels on one core.
"""

import hashlib
import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from distildoc.core.batch import Key
from distildoc.schema.errors import ConfigError

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float64]  # [N, 4] left, top, right, bottom

VERSION = 1  # of the drawing below; part of the fingerprint
BLUR_CHANCE = 0.3
NOISE_CHANCE = 0.5
ERASE_CHANCE = 0.5


@dataclass(frozen=True)
class Augmentation:
    """How far a view may be from its page; every 0 switches its effect off.

    views       distinct views of a page, taken in turn epoch after epoch; None: a new one every epoch.
    rotate_deg  largest rotation either way, degrees.
    shear_deg   largest slant either way, degrees.
    scale       largest zoom in or out, and as much again for height against width, as a share of the side.
    shift       largest shift either way, as a share of the side.
    brightness  largest change of brightness, as a share of white.
    contrast    largest change of contrast, as a share.
    gamma       largest change of the exponent, as a share.
    blur_px     largest radius of a box blur, pixels (three views in ten).
    noise       largest amplitude of uniform noise, as a share of white (half of the views).
    erase       largest share of the area of a rectangle painted over (half of the views).
    flip        chance of a mirrored page; text becomes unreadable, hence off.
    invert      chance of white on black.
    """

    views: int | None = None
    seed: int = 0
    rotate_deg: float = 3.0
    shear_deg: float = 2.0
    scale: float = 0.1
    shift: float = 0.05
    brightness: float = 0.1
    contrast: float = 0.2
    gamma: float = 0.2
    blur_px: float = 0.7
    noise: float = 0.08
    erase: float = 0.1
    flip: float = 0.0
    invert: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotate_deg": 180.0, "shear_deg": 45.0, "blur_px": 16.0}
        for name in self._strengths():
            value, top = getattr(self, name), limits.get(name, 1.0)
            if not 0 <= value <= top:
                raise ConfigError(f"augmentation: {name} = {value} is not within 0 to {top:g}")
        if self.views is not None and self.views < 1:
            raise ConfigError(f"augmentation: views = {self.views} is not at least 1; leave it out for unbounded views")

    def __call__(self, pixels: Pixels, key: Key) -> Pixels:
        """The view `key` of a page: bytes [H, W, 3] to bytes [H, W, 3], or grey [H, W] to [H, W]."""
        if key.augmentation == 0:
            return pixels
        rng = _generator(self.seed, key)
        draws = _draws(rng)
        image = Image.fromarray(squeezed(pixels))
        image = self._recolour(self._move(image, draws), draws)
        view = self._stain(np.asarray(image), draws, rng)
        return np.repeat(view[..., None], 3, axis=2) if view.ndim < pixels.ndim else view

    def boxes(self, key: Key, boxes: Boxes, *, height: int, width: int) -> Boxes:
        """Where boxes lie in the view `key` of pixels of that size: [N, 4] to [N, 4], left, top, right, bottom.

        Shares of the pixels, not clipped: a box may reach outside 0..1 where the view does not show all of it. A
        turned or slanted box gives the upright box around it.
        """
        if key.augmentation == 0 or not self._moves or not len(boxes):
            return boxes
        a, b, c, d, e, f = self._affine(_draws(_generator(self.seed, key)), height=height, width=width)
        corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] * (width, height)  # [N, 4 corners, 2]
        back = np.linalg.inv(np.array([[a, b], [d, e]]))  # the affine finds the source of a pixel of the view
        moved = (corners - (c, f)) @ back.T / (width, height)
        return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)

    def view_of(self, page: str, epoch: int) -> int:
        """Augmentation id of a page in an epoch (from 0): each page walks through all its views in turn."""
        if self.views is None:
            return epoch + 1
        start = int.from_bytes(_digest(self.seed, Key(page, 0))[:4], "little")
        return (start + epoch) % self.views + 1

    @property
    def fingerprint(self) -> str:
        """32 hex digits over all settings that decide the pixels of a view (not over how many views there are)."""
        settings = [(name, float(getattr(self, name))) for name in self._strengths()]
        return hashlib.sha256(repr((VERSION, self.seed, settings)).encode()).hexdigest()[:32]

    def _strengths(self) -> list[str]:
        return [setting.name for setting in fields(self) if setting.name not in ("views", "seed")]

    @property
    def _moves(self) -> bool:
        return any((self.rotate_deg, self.shear_deg, self.scale, self.shift, self.flip))

    def _move(self, image: Image.Image, draws: list[float]) -> Image.Image:
        """Rotate, slant, zoom, shift and mirror in one resampling; what comes in from outside is white."""
        if not self._moves:
            return image
        affine = self._affine(draws, height=image.height, width=image.width)
        white = (255,) * len(image.getbands()) if image.mode == "RGB" else 255
        return image.transform(image.size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR, fillcolor=white)

    def _affine(
        self, draws: list[float], *, height: int, width: int
    ) -> tuple[float, float, float, float, float, float]:
        """a, b, c, d, e, f: the point (x, y) of the view shows (ax + by + c, dx + ey + f) of the page, in pixels."""
        turn, slant, zoom, aspect, right, down = (2 * draw - 1 for draw in draws[:6])
        angle, tilt = math.radians(turn * self.rotate_deg), math.tan(math.radians(slant * self.shear_deg))
        across, along = ((1 + self.scale) ** zoom * (1 + self.scale) ** (side * aspect / 2) for side in (1, -1))
        mirror = -1.0 if draws[6] < self.flip else 1.0
        cos, sin = math.cos(angle), math.sin(angle)
        a, b = mirror * cos / across, (cos * tilt - sin) / across
        d, e = mirror * sin / along, (sin * tilt + cos) / along
        middle_x, middle_y = width / 2, height / 2
        c = middle_x - a * middle_x - b * middle_y + right * self.shift * width
        f = middle_y - d * middle_x - e * middle_y + down * self.shift * height
        return a, b, c, d, e, f

    def _recolour(self, image: Image.Image, draws: list[float]) -> Image.Image:
        """Gamma, contrast about mid-grey, brightness and inversion through one table, then blur."""
        brightness, contrast, gamma = (2 * draw - 1 for draw in draws[7:10])
        tones = np.linspace(0.0, 1.0, 256) ** ((1 + self.gamma) ** gamma)
        tones = (tones - 0.5) * (1 + contrast * self.contrast) + 0.5 + brightness * self.brightness
        if draws[10] < self.invert:
            tones = 1 - tones
        table = np.clip(np.rint(tones * 255), 0, 255).astype(np.uint8).tolist()
        image = image.point(table * len(image.getbands()))
        radius = self.blur_px * draws[11] / BLUR_CHANCE
        return image.filter(ImageFilter.BoxBlur(radius)) if radius > 0 and draws[11] < BLUR_CHANCE else image

    def _stain(self, view: Pixels, draws: list[float], rng: np.random.Generator) -> Pixels:
        """Noise, the same in all channels, and a rectangle of one grey."""
        height, width = view.shape[:2]
        if self.noise and draws[12] < NOISE_CHANCE:
            amplitude = np.float32(2 * 255 * self.noise * draws[12] / NOISE_CHANCE)
            noise = (rng.random((height, width), dtype=np.float32) - np.float32(0.5)) * amplitude
            noisy = view + (noise if view.ndim == 2 else noise[..., None])
            view = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        if self.erase and draws[13] < ERASE_CHANCE:
            area = self.erase * draws[13] / ERASE_CHANCE * height * width
            aspect = 4.0 ** (2 * draws[14] - 1)  # height / width from a quarter to four
            high, wide = min(height, round(math.sqrt(area * aspect))), min(width, round(math.sqrt(area / aspect)))
            top, left = int(draws[16] * (height - high + 1)), int(draws[17] * (width - wide + 1))
            view = np.array(view)
            view[top : top + high, left : left + wide] = int(draws[15] * 256)
        return view


def squeezed(pixels: Pixels) -> Pixels:
    """[H, W] where the three channels of [H, W, 3] are equal, otherwise what it is given."""
    if pixels.ndim < 3:
        return pixels
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.ascontiguousarray(red)
    return pixels


def _digest(seed: int, key: Key) -> bytes:
    text = f"{seed}\0{key.augmentation}\0{key.page}".encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=16).digest()


def _draws(rng: np.random.Generator) -> list[float]:
    """One number a parameter, in fixed places, so that one setting does not move another."""
    draws: list[float] = rng.random(18).tolist()
    return draws


def _generator(seed: int, key: Key) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(seed, key), "little")))
