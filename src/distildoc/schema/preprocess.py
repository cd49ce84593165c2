"""Page image to network input, in Pillow and NumPy alone, so that training and torch-free prediction agree."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distildoc.schema.pages import Page

Fit = Literal["stretch", "pad"]


@dataclass(frozen=True)
class Preprocess:
    """How a page becomes pixels.

    height, width  size of the network input in pixels.
    fit            "stretch" ignores the aspect; "pad" keeps it and fills with white at the right and bottom.
    grey           drop colour before resizing (three equal channels remain).
    """

    height: int
    width: int
    fit: Fit = "stretch"
    grey: bool = False

    def __call__(self, image: Image.Image) -> NDArray[np.uint8]:
        """RGB bytes, [height, width, 3]."""
        image = image.convert("L") if self.grey else image.convert("RGB")
        if self.fit == "stretch":
            resized = image.resize((self.width, self.height), Image.Resampling.BILINEAR)
        else:
            resized = self._padded(image)
        return np.asarray(resized.convert("RGB"), dtype=np.uint8)

    def of(self, page: Page) -> NDArray[np.uint8]:
        """RGB bytes of a page, [height, width, 3]; raises InputError where it cannot be read."""
        return self(page.image(self.longest_px))

    def network(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[B, height, width, 3] bytes to what every model takes."""
        return to_network_input(pixels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one page in a batch."""
        return 3, self.height, self.width

    def share(self, width: int, height: int) -> tuple[float, float]:
        """(across, down): how much of the input a page of that size takes up; 1, 1 where it is stretched.

        A point at shares (x, y) of the page lies at (x * across, y * down) of the input.

        >>> Preprocess(100, 100, "pad").share(210, 297)
        (0.71, 1.0)
        """
        if self.fit == "stretch":
            return 1.0, 1.0
        across, down = self._fitted(width, height)
        return across / self.width, down / self.height

    @property
    def longest_px(self) -> int:
        """Longest source side worth reading: twice the input, so that resizing still has detail to average."""
        return 2 * max(self.height, self.width)

    def _padded(self, image: Image.Image) -> Image.Image:
        size = self._fitted(image.width, image.height)
        page = Image.new(image.mode, (self.width, self.height), color="white")
        page.paste(image.resize(size, Image.Resampling.BILINEAR), (0, 0))
        return page

    def _fitted(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) in pixels of the input that a page of that size comes to."""
        scale = min(self.width / width, self.height / height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def to_network_input(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """[B, H, W, 3] bytes to [B, 3, H, W] in 0..1; normalisation is inside the network."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)
