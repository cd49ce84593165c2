"""Boxes of a two-stage detector: offsets against a reference box, clipping, shares of the input.

    dx = (cx - cx_ref) / w_ref,  dy likewise,  dw = log(w / w_ref),  dh likewise, each times a weight

Paper: Ren et al. 2015, arXiv:1506.01497, section 3.1.2; the weights and the bound on dw, dh are Detectron2's.
Boxes are [left, top, right, bottom] in pixels of the input, fp32.
"""

import math

import torch
from torch import Tensor

from distildoc.losses.boxes import cxcywh, xyxy
from distildoc.losses.precision import full

Weights = tuple[float, float, float, float]
ANCHOR_WEIGHTS: Weights = (1.0, 1.0, 1.0, 1.0)
ROI_WEIGHTS: Weights = (10.0, 10.0, 5.0, 5.0)  # brings the offsets of the second stage to about unit variance
MOST_GROWTH = math.log(1000 / 16)  # largest dw, dh: from the smallest anchor in use to a page of 1000 px
SMALLEST_PX = 1e-3  # a reference box without width has no offsets; this keeps the logarithm finite


def offsets(references: Tensor, boxes: Tensor, weights: Weights) -> Tensor:
    """What moves each reference box [..., 4] onto its box [..., 4]."""
    before, after = cxcywh(references), cxcywh(boxes)
    size = before[..., 2:].clamp(min=SMALLEST_PX)
    moved = (after[..., :2] - before[..., :2]) / size
    grown = (after[..., 2:].clamp(min=SMALLEST_PX) / size).log()
    return torch.cat([moved, grown], -1) * boxes.new_tensor(weights)


def moved(references: Tensor, by: Tensor, weights: Weights) -> Tensor:
    """The boxes [..., 4] that offsets [..., 4] make of reference boxes; the inverse of `offsets`."""
    before, by = cxcywh(references), full(by) / torch.tensor(weights, device=by.device)
    centre = before[..., :2] + by[..., :2] * before[..., 2:]
    return xyxy(torch.cat([centre, before[..., 2:] * by[..., 2:].clamp(max=MOST_GROWTH).exp()], -1))


def clipped(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes [..., 4] cut at the edges of an input of (height, width) px."""
    height, width = size
    across, down = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack([across[..., 0], down[..., 0], across[..., 1], down[..., 1]], -1)


def in_shares(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Pixels to [centre x, centre y, width, height] in shares of an input of (height, width) px."""
    height, width = size
    return cxcywh(boxes) / torch.tensor((width, height, width, height), device=boxes.device)


def in_pixels(boxes_cxcywh: Tensor, size: tuple[int, int]) -> Tensor:
    """The inverse of `in_shares`."""
    height, width = size
    return xyxy(boxes_cxcywh) * torch.tensor((width, height, width, height), device=boxes_cxcywh.device)
