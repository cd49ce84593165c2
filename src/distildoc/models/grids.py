"""Grid: how the features of one model are laid out as a map over the page."""

from dataclasses import dataclass

import torch
from torch import Tensor

from distildoc.core.grids import as_map
from distildoc.core.model import Model


@dataclass(frozen=True)
class Grid:
    """Maps pass as they are; tokens lose the `skip` leading ones and take their places on the page.

    aspect  height / width of what the network sees.
    """

    skip: int = 0
    aspect: float = 1.0

    def __call__(self, feature: Tensor) -> Tensor:
        """[B, N, D] tokens, [B, C, H, W] maps or [B, D] vectors to [B, C, H, W]."""
        return as_map(feature, skip=self.skip, aspect=self.aspect)

    def shape(self, feature: torch.Size) -> tuple[int, int, int]:
        """(channels, rows, columns) of a feature whose shape is given without the batch axis."""
        _, channels, rows, columns = self(torch.empty(1, *feature, device="meta")).shape
        return channels, rows, columns


def grid_of(model: Model, size: tuple[int, int]) -> Grid:
    """The grid of a model that is given pages of (height, width) pixels."""
    height, width = model.normalise.size or size
    return Grid(model.places.tokens, height / width)
