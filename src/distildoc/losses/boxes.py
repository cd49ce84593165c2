"""How far boxes lie apart: distances and overlaps, one value a pair of boxes, in fp32.

Boxes have four numbers on the last axis; the other axes are broadcast, so `iou(a[:, None], b[None])` compares every
box of a with every one of b. A box without area overlaps nothing, not even itself.
"""

import torch
from torch import Tensor

from distildoc.losses.precision import full

EPSILON = 1e-9  # smallest area divided by, in squared shares of a page; a square of 3e-5 of the page each way


def xyxy(boxes_cxcywh: Tensor) -> Tensor:
    """Centre x, centre y, width, height to left, top, right, bottom, [..., 4]."""
    boxes = full(boxes_cxcywh)
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], -1)


def cxcywh(boxes_xyxy: Tensor) -> Tensor:
    """Left, top, right, bottom to centre x, centre y, width, height, [..., 4]."""
    boxes = full(boxes_xyxy)
    first, last = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(first + last) / 2, last - first], -1)


def area(boxes_xyxy: Tensor) -> Tensor:
    """Width x height, [...]; 0 where a box is turned inside out."""
    return _extent(full(boxes_xyxy))


def l1(first: Tensor, second: Tensor) -> Tensor:
    """Sum of the four absolute differences, [...]."""
    return (full(first) - full(second)).abs().sum(-1)


def iou(first_xyxy: Tensor, second_xyxy: Tensor) -> Tensor:
    """Intersection over union, 0..1, [...]."""
    overlap, union = _overlap(full(first_xyxy), full(second_xyxy))
    return overlap / union.clamp(min=EPSILON)


def giou(first_xyxy: Tensor, second_xyxy: Tensor) -> Tensor:
    """Generalised IoU, -1..1, [...]: IoU less the share of the common hull that is in neither box.

    Rezatofighi et al. 2019, arXiv:1902.09630; unlike IoU it tells apart boxes that do not touch.
    """
    first, second = full(first_xyxy), full(second_xyxy)
    overlap, union = _overlap(first, second)
    hull = _extent(
        torch.cat([torch.minimum(first[..., :2], second[..., :2]), torch.maximum(first[..., 2:], second[..., 2:])], -1)
    )
    return overlap / union.clamp(min=EPSILON) - (hull - union) / hull.clamp(min=EPSILON)


def _overlap(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Areas of intersection and union."""
    common = torch.cat(
        [torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:])], -1
    )
    overlap = _extent(common)
    return overlap, _extent(first) + _extent(second) - overlap


def _extent(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)
