"""Losses around the regions of a page: attended values, which regions are real, where their edges are."""

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.boxes import xyxy
from distildoc.losses.precision import full, paired


def attended_values(teacher: Tensor, student: Tensor, attention: Tensor) -> Tensor:
    """Squared difference of values [B, H, S, D], mean over D, weighted over cells by attention [B, H, S], [B].

    Mean over heads of sum_s a_s d_s / sum_s a_s; 0 for pages without attention.
    """
    teacher, student = paired(teacher, student)
    attention = full(attention)
    difference = (student - teacher).square().mean(-1)
    weighted = (attention * difference).sum(-1) / attention.sum(-1).clamp(min=1e-6)  # far below one region's sum of 1
    return weighted.mean(1)


def real_or_not(logits: Tensor, real: Tensor, present: Tensor) -> Tensor:
    """Binary cross-entropy of a logit a region [B, N], mean over those present, [B]; 0 for pages without any."""
    logits = full(logits)
    loss = functional.binary_cross_entropy_with_logits(logits, real.to(logits.dtype), reduction="none")
    return _mean_over(loss, present)


def edge_distance(distances: Tensor, centres: Tensor, boxes_cxcywh: Tensor, real: Tensor) -> Tensor:
    """How far guessed edges are from true ones, relative to the size of the box: sum of four, mean over regions, [B].

    distances [B, N, 4] from centres [B, N, 2] to left, top, right and bottom, all in shares of the page. Only regions
    that are `real` [B, N] count; 0 for pages without any.
    """
    edges, centres = xyxy(boxes_cxcywh), full(centres)
    wanted = torch.cat([centres - edges[..., :2], edges[..., 2:] - centres], -1)
    smallest = 1e-4  # of the page's side: a narrower box counts as this wide
    sizes = full(boxes_cxcywh)[..., 2:].clamp(min=smallest).repeat(1, 1, 2)
    relative = (full(distances) - wanted).abs() / sizes
    return _mean_over(relative.sum(-1), real)


def _mean_over(values: Tensor, rows: Tensor) -> Tensor:
    return torch.where(rows, values, torch.zeros_like(values)).sum(1) / rows.sum(1).clamp(min=1)
