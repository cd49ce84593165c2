"""Position embeddings at another image size: resampled once, in the weights, so that the graph stays plain.

Bicubic, align_corners=False, leading tokens kept: what transformers computes at run time under
`interpolate_pos_encoding=True` (ViT, arXiv:2010.11929, section 3.2).
"""

import copy
import inspect
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig

from distildoc.core.grids import grid_shape
from distildoc.models.bodies import base_of, leading_tokens


def interpolates_itself(network: nn.Module) -> bool:
    """Whether the network resamples its positions in every forward without being asked (BEiT, DINOv2).

    Such networks keep a square grid of positions whatever the page.
    """
    embeddings = getattr(base_of(network), "embeddings", None)
    if embeddings is None or not hasattr(embeddings, "interpolate_pos_encoding"):
        return False
    return "interpolate_pos_encoding" not in inspect.signature(embeddings.forward).parameters


def has_positions(network: nn.Module) -> bool:
    """Whether the network adds one learnt vector per patch position."""
    return any(_is_positions(name) for name, _ in base_of(network).named_parameters())


def with_positions(network: nn.Module, size: tuple[int, int]) -> nn.Module:
    """The network for pages of (height, width) pixels, with the same weights and resampled positions."""
    config = copy.deepcopy(cast(PreTrainedConfig, network.config))
    config.image_size = list(size)
    changed = type(network)(config)
    wanted = changed.state_dict()
    skip = leading_tokens(base_of(network))
    aspect = size[0] / size[1]
    state = {
        name: resample(value, wanted[name].shape[1], skip=skip, aspect=aspect)
        if _is_positions(name) and value.shape != wanted[name].shape
        else value
        for name, value in network.state_dict().items()
    }
    changed.load_state_dict(state)
    return changed


def resample(positions: Tensor, tokens: int, *, skip: int, aspect: float) -> Tensor:
    """[1, N, D] on a square grid after `skip` leading tokens, to [1, tokens, D] on a grid of height/width `aspect`.

    >>> resample(torch.zeros(1, 17, 8), 33, skip=1, aspect=0.5).shape
    torch.Size([1, 33, 8])
    """
    leading, grid = positions[:, :skip], positions[:, skip:]
    side = round(grid.shape[1] ** 0.5)
    square = grid.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    rows, columns = grid_shape(tokens - skip, aspect)
    moved = functional.interpolate(square, size=(rows, columns), mode="bicubic", align_corners=False)
    return torch.cat([leading, moved.permute(0, 2, 3, 1).reshape(1, rows * columns, -1)], dim=1)


def _is_positions(name: str) -> bool:
    return name.rpartition(".")[2] == "position_embeddings"
