"""Grid: how the features of one model are laid out as a map over the page."""

from dataclasses import dataclass

import torch
from torch import Tensor

from distildoc.core.grids import as_map
from distildoc.core.model import Model
from distildoc.core.texts import Tokenise
from distildoc.models.bodies import TimmMapBody, TimmPooledBody, is_channels_last
from distildoc.schema.errors import ConfigError


@dataclass(frozen=True)
class Grid:
    """Maps pass as they are; tokens lose the `skip` leading ones and take their places on the page.

    aspect         height / width of what the network sees.
    channels_last  its maps are [B, H, W, C].
    texts          the network reads texts: only its vectors can be laid out.
    """

    skip: int = 0
    aspect: float = 1.0
    channels_last: bool = False
    texts: bool = False

    def __call__(self, feature: Tensor) -> Tensor:
        """[B, N, D] tokens, [B, C, H, W] maps or [B, D] vectors to [B, C, H, W].

        Raises ConfigError for the tokens of a text, which are no map.
        """
        if self.texts and feature.ndim != 2:
            raise ConfigError(
                "maps and patches are of pages, and this run reads texts; name a tap of vectors, as `penultimate`, or "
                "choose another method"
            )
        if self.channels_last and feature.ndim == 4:
            feature = feature.permute(0, 3, 1, 2)
        return as_map(feature, skip=self.skip, aspect=self.aspect)

    def shape(self, feature: torch.Size) -> tuple[int, int, int]:
        """(channels, rows, columns) of a feature whose shape is given without the batch axis."""
        _, channels, rows, columns = self(torch.empty(1, *feature, device="meta")).shape
        return channels, rows, columns


def grid_of(model: Model, size: tuple[int, int]) -> Grid:
    """The grid of a model that is given pages of (height, width) pixels, or texts."""
    if isinstance(model.normalise, Tokenise):
        return Grid(texts=True)
    height, width = model.normalise.size or size
    body = model.body
    channels_last = isinstance(body, TimmPooledBody | TimmMapBody) and is_channels_last(body.network)
    return Grid(model.places.tokens, height / width, channels_last)
