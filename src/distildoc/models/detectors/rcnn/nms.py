"""Greedy non-maximum suppression without a loop over boxes.

A box is kept unless a surer box that is kept overlaps it by more than the threshold. Written as one step on all boxes,

    keep[j] = not any over i < j of (keep[i] and overlaps[i, j]),    boxes in falling order of certainty,

the rule has exactly one fixed point, the greedy answer; after t steps the first t boxes are final, and in practice all
boxes are after as many steps as the longest chain of boxes that suppress each other (about ten).

An exported graph has no "until nothing changes": it takes EXPORT_ROUNDS steps. An even number never loses a box that
greedy suppression keeps, and may leave a doubled one where a chain is longer.
"""

import torch
from torch import Tensor
from torch.nn import functional
from torch.onnx import is_in_onnx_export

from distildoc.losses.boxes import iou

EXPORT_ROUNDS = 24
CELLS = 16_000_000  # pairs of boxes compared at once: about 0.5 GB


def greedy_keep(boxes: Tensor, *, valid: Tensor, threshold: float, groups: Tensor | None = None) -> Tensor:
    """Which boxes stay, [B, K] bool, for boxes [B, K, 4] (left, top, right, bottom) in falling order of certainty.

    valid      [B, K] bool; the others neither stay nor suppress.
    threshold  overlap (IoU) above which the less certain box goes.
    groups     [B, K]; boxes of different groups leave each other alone.
    """
    if is_in_onnx_export():
        return _keep(boxes, valid, threshold, groups)
    pages = max(1, CELLS // max(1, boxes.shape[1] ** 2))
    parts = [
        _keep(
            boxes[at : at + pages],
            valid[at : at + pages],
            threshold,
            None if groups is None else groups[at : at + pages],
        )
        for at in range(0, len(boxes), pages)
    ]
    return torch.cat(parts) if parts else valid


def _keep(boxes: Tensor, valid: Tensor, threshold: float, groups: Tensor | None) -> Tensor:
    over = iou(boxes[:, :, None], boxes[:, None]) > threshold
    if groups is not None:
        over = over & (groups[:, :, None] == groups[:, None])
    order = torch.arange(boxes.shape[1], device=boxes.device)
    suppresses = (over & (order[:, None] < order)).to(boxes.dtype)
    candidates = valid[:, None].to(boxes.dtype)
    keep = candidates
    if is_in_onnx_export():
        for _ in range(EXPORT_ROUNDS):
            keep = functional.relu(candidates - torch.matmul(keep, suppresses))
        return keep[:, 0] > 0
    while True:
        before, keep = keep, functional.relu(candidates - torch.matmul(keep, suppresses))
        if torch.equal(before, keep):
            return keep[:, 0] > 0
