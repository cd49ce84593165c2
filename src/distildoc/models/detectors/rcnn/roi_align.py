"""RoIAlign over a pyramid: features of boxes, averaged from bilinear samples, in plain tensor operations.

Each of out x out bins of a box is the mean of samples x samples points; a point half a pixel off the cell centres
("aligned") reads its four cells, those up to one cell outside the map read its edge, farther ones read zero.

Paper: He et al. 2017, arXiv:1703.06870, section 3, in the half-pixel form of Detectron2. The maps of all levels stand
in one table of cells, and a bin is a weighted sum of rows of that table: nothing of the size boxes x channels x points
is ever held, and boxes of all levels go together. No gradient reaches the boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.onnx import is_in_onnx_export

from distildoc.losses.boxes import area
from distildoc.losses.precision import full

FINEST = 4  # stride in px of the first map; each further one has twice that of the one before
CANONICAL = 7  # a box of this many smallest anchors (7 x 32 = 224 px) is read from the third map; FPN, section 4.2
MOST_SAMPLES = 16  # points per bin and axis at most, in adaptive sampling


@dataclass(frozen=True)
class Rois:
    """Boxes [N, 4] (left, top, right, bottom, px of the input) and the page [N] int64 of the batch each lies on."""

    boxes: Tensor
    page: Tensor


def level_of(boxes: Tensor, *, anchor: int, levels: int) -> Tensor:
    """The map [N] each box is read from: one level coarser for twice the side, map 2 at `CANONICAL` x `anchor` px.

    Lin et al. 2017, arXiv:1612.03144, equation 1.
    """
    side = area(boxes).clamp(min=1e-6).sqrt()
    return (2 + torch.log2(side / (CANONICAL * anchor) + 1e-8)).floor().clamp(0, levels - 1).long()


def roi_align(maps: Sequence[Tensor], rois: Rois, *, level: Tensor, out: int, samples: int = 2) -> Tensor:
    """[N, C, out, out] from maps [B, C, h, w] of strides 4, 8, 16, ...

    level    [N] index of the map each box is read from.
    samples  points per bin and axis; 0 or less: as many as a bin has cells, rounded up (not for export).
    """
    sizes = torch.tensor([tuple(int(side) for side in one.shape[-2:]) for one in maps], device=rois.boxes.device)
    cells = sizes.prod(1)
    table = full(torch.cat([one.flatten(2) for one in maps], 2)).transpose(1, 2).flatten(0, 1)
    start = rois.page * cells.sum() + (cells.cumsum(0) - cells)[level]
    height, width = sizes[level].unbind(1)
    left, top, right, bottom = (full(rois.boxes).detach() / (FINEST * 2.0**level)[:, None] - 0.5).unbind(1)
    rows, down = _axis(top, bottom, height, out=out, samples=samples)
    columns, across = _axis(left, right, width, out=out, samples=samples)
    index = (
        start[:, None, None, None, None]
        + (rows * width[:, None, None])[:, :, None, :, None]
        + columns[:, None, :, None, :]
    )
    weight = down[:, :, None, :, None] * across[:, None, :, None, :]
    bins = _weighted_rows(table, index.flatten(3).flatten(0, 2), weight.flatten(3).flatten(0, 2))
    return bins.view(-1, out, out, table.shape[1]).permute(0, 3, 1, 2)


def _axis(first: Tensor, last: Tensor, cells: Tensor, *, out: int, samples: int) -> tuple[Tensor, Tensor]:
    """Cells read along one axis and their weights, [N, out, 2 x samples] each."""
    bin_size = (last - first) / out
    count = bin_size.new_tensor([samples]) if samples > 0 else bin_size.ceil().clamp(1, MOST_SAMPLES)
    most = samples if samples > 0 else int(count.max()) if len(count) else 1
    step = torch.arange(most, device=first.device)
    within = (step + 0.5) / count[:, None]
    bins = torch.arange(out, device=first.device)[:, None]
    at = first[:, None, None] + (bins + within[:, None]) * bin_size[:, None, None]
    end = cells[:, None, None].to(at.dtype)
    read = (at >= -1) & (at <= end) & (step < count[:, None])[:, None]
    at = torch.minimum(at.clamp(min=0), end - 1)
    low = at.floor()
    high = torch.minimum(low + 1, end - 1)
    share = read / count[:, None, None]
    weight = torch.cat([(1 - (at - low)) * share, (at - low) * share], -1)
    return torch.cat([low, high], -1).long(), weight


def _weighted_rows(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Sum over k of weight[:, k] times row index[:, k] of the table, [bins, C]."""
    if not is_in_onnx_export():
        return functional.embedding_bag(index, table, per_sample_weights=weight.to(table.dtype), mode="sum")
    total = table[index[:, 0]] * weight[:, :1]  # ONNX has no weighted bag of rows
    for k in range(1, index.shape[1]):
        total = total + table[index[:, k]] * weight[:, k : k + 1]
    return total
