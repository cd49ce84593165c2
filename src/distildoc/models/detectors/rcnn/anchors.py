"""Anchors: reference boxes at every cell of every map, one size a map and three shapes.

Paper: Lin et al. 2017, arXiv:1612.03144, section 4.1. Centres lie at whole multiples of the stride, as in Detectron2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from distildoc.models.detectors.rcnn.roi_align import FINEST

RATIOS = (0.5, 1.0, 2.0)  # height / width


def anchors(maps: Sequence[Tensor], *, smallest: int) -> list[Tensor]:
    """[h * w * 3, 4] for each map [B, C, h, w], row by row, the shapes of a cell side by side.

    smallest  side in px of a square anchor on the first map; each further map has twice that.
    """
    return [_of_map(one, stride=FINEST * 2**level, side=smallest * 2**level) for level, one in enumerate(maps)]


def _of_map(one: Tensor, *, stride: int, side: int) -> Tensor:
    rows, columns = (int(cells) for cells in one.shape[-2:])
    shapes = [(side / ratio**0.5, side * ratio**0.5) for ratio in RATIOS]
    cell = torch.tensor([(-w / 2, -h / 2, w / 2, h / 2) for w, h in shapes], device=one.device)
    down, across = torch.meshgrid(
        torch.arange(rows, device=one.device) * stride, torch.arange(columns, device=one.device) * stride, indexing="ij"
    )
    centres = torch.stack([across, down, across, down], -1).reshape(-1, 1, 4)
    return (centres + cell).reshape(-1, 4)
