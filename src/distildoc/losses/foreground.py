"""Where on a page features count: cells under boxes, and attention of a map to places and channels (FGD's focal part).

Yang et al. 2022, arXiv:2111.11837, section 3.1.
"""

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.boxes import xyxy
from distildoc.losses.precision import full, paired

EDGE = 1e-4  # of a cell: a box that reaches less than this into a cell does not cover it


def covered(boxes_cxcywh: Tensor, present: Tensor, grid: tuple[int, int]) -> Tensor:
    """Which cells each box reaches into, [B, M, h, w] bool, for boxes [B, M, 4] in shares of the page.

    present  [B, M] bool; the others cover nothing, like boxes without area on the edge between two cells.
    """
    left, top, right, bottom = xyxy(boxes_cxcywh).unbind(-1)
    rows, columns = (torch.arange(cells, device=boxes_cxcywh.device) for cells in grid)
    across, down = _reached(left, right, columns), _reached(top, bottom, rows)
    return down[..., :, None] & across[..., None, :] & present[..., None, None]


def scale_weights(cells: Tensor) -> Tensor:
    """Weight of every cell, [B, h, w], from `covered` [B, M, h, w]: 1 over the cells of the smallest box on it, else 0.

    A box on its own thus weighs 1 in all, whatever its size.
    """
    share = 1 / cells.sum((2, 3)).clamp(min=1)
    return (cells * share[..., None, None]).amax(1)


def spatial_attention(feature: Tensor, *, temperature: float) -> Tensor:
    """Softmax over the page of the mean absolute value of the channels, times the number of cells, [B, h, w]."""
    strength = full(feature).abs().mean(1)
    flat = functional.softmax(strength.flatten(1) / temperature, 1)
    return flat.view_as(strength) * flat.shape[1]


def channel_attention(feature: Tensor, *, temperature: float) -> Tensor:
    """Softmax over the channels of their mean absolute value on the page, times the number of channels, [B, C]."""
    strength = full(feature).abs().mean((2, 3))
    return functional.softmax(strength / temperature, 1) * strength.shape[1]


def attended(teacher: Tensor, student: Tensor, *, temperature: float) -> Tensor:
    """Squared difference of maps [B, C, h, w] under both attentions of the teacher, mean over channels, [B, h, w]."""
    teacher, student = paired(teacher, student)
    channels = channel_attention(teacher, temperature=temperature)[:, :, None, None]
    return ((student - teacher).square() * channels).mean(1) * spatial_attention(teacher, temperature=temperature)


def attention_gap(teacher: Tensor, student: Tensor, *, temperature: float) -> Tensor:
    """Mean absolute difference of the spatial and of the channel attentions, added up, [B]."""
    paired(teacher, student)
    gaps = [
        (kind(student, temperature=temperature) - kind(teacher, temperature=temperature)).abs().flatten(1).mean(1)
        for kind in (spatial_attention, channel_attention)
    ]
    return gaps[0] + gaps[1]


def _reached(low: Tensor, high: Tensor, cells: Tensor) -> Tensor:
    """[B, M, n] bool: whether the span from `low` to `high`, in shares, reaches into each of n cells."""
    count = len(cells)
    return (low[..., None] * count < cells + 1 - EDGE) & (high[..., None] * count > cells + EDGE)
