"""One-to-many supervision of the places of a pyramid: every box teaches several places, not the one query that it is
matched with, so that a detector of the DETR family learns from few pages what it otherwise needs millions of boxes for.

    t   = s^(1/2) * u^3                                 s the score a place gives a box's class, u its IoU with the box
    y   = t / max_places t * max_places u               target score of a box's K best places inside it, else 0
    cls = sum BCE(s, y) * (y where y > 0, else 3/4 s^2) / sum y
    box = sum y * (2 * (1 - GIoU) + 5 * L1)             / sum y

Assignment: task alignment, Feng et al. 2021, arXiv:2108.07755, section 3.2 (its exponents are 1 and 6; gentler ones
suit boxes drawn at random). As an auxiliary loss of DETR's encoder: Zong et al. 2022, arXiv:2211.12860, and RT-DETRv3,
arXiv:2409.08475, which give it heads of its own; here the encoder's own score and box layers, which choose the queries,
are supervised. While nothing overlaps yet, closeness to the middle of the box and of its size to the map's decides.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.boxes import giou, iou, l1, xyxy
from distildoc.losses.precision import full

TOP = 4  # places a box
COLD = 1e-3  # share of closeness in the alignment
LEAST = 0.1  # target score of a box's best place while its IoU is smaller
CELLS = 3  # sides of a cell that a box of a map's own size has


@dataclass(frozen=True)
class Grid:
    """Where the places of a pyramid are, in shares of the input: centres [N, 2], and sizes of their cells [N, 2]."""

    centres: Tensor
    cells: Tensor


def grid(shapes: tuple[tuple[int, int], ...], device: torch.device) -> Grid:
    """Places of maps of (height, width) cells, map after map, row after row.

    >>> grid(((1, 2),), torch.device("cpu")).centres.tolist()
    [[0.25, 0.5], [0.75, 0.5]]
    """
    centres, cells = [], []
    for height, width in shapes:
        down = (torch.arange(height, device=device) + 0.5) / height
        across = (torch.arange(width, device=device) + 0.5) / width
        y, x = torch.meshgrid(down, across, indexing="ij")
        centres.append(torch.stack([x, y], -1).reshape(-1, 2))
        cells.append(torch.tensor([[1 / width, 1 / height]], device=device).expand(height * width, 2))
    return Grid(torch.cat(centres), torch.cat(cells))


def one_to_many(
    logits: Tensor, boxes: Tensor, truth: Tensor, classes: Tensor, *, places: Grid, top: int = TOP
) -> dict[str, Tensor]:
    """Sums over all pages by name, `class` and `box`, each divided by the sum of the target scores (at least 1).

    logits [B, N, C] and boxes [B, N, 4] cxcywh of the places; truth [B, M, 4] cxcywh and classes [B, M] int64, below 0
    in padding.
    """
    logits, boxes = full(logits), full(boxes)
    with torch.no_grad():
        chosen, wanted = assigned(logits.sigmoid(), boxes, truth, classes, places=places, top=top)
        weight = wanted.amax(-1)  # [B, N]
        total = weight.sum().clamp(min=1)
        scores = logits.sigmoid()
        focus = torch.where(wanted > 0, wanted, 0.75 * scores**2)
    cross = functional.binary_cross_entropy_with_logits(logits, wanted, weight=focus, reduction="none")
    page, place = (weight > 0).nonzero(as_tuple=True)
    found, true = boxes[page, place], full(truth)[page, chosen[page, place]]
    apart = 2 * (1 - giou(xyxy(found), xyxy(true))) + 5 * l1(found, true)
    return {"class": cross.sum() / total, "box": (apart * weight[page, place]).sum() / total}


def assigned(
    scores: Tensor, boxes: Tensor, truth: Tensor, classes: Tensor, *, places: Grid, top: int = TOP
) -> tuple[Tensor, Tensor]:
    """Which box each place stands for, [B, N] int64, and its target scores, [B, N, C], 0 where it stands for none."""
    real = classes >= 0
    overlap = iou(xyxy(boxes)[:, :, None], xyxy(truth)[:, None])  # [B, N, M]
    said = scores.gather(2, classes.clamp(min=0)[:, None].expand(-1, scores.shape[1], -1))
    inside, near = _closeness(truth, places)
    inside = inside & real[:, None]
    aligned = (said.sqrt() * overlap**3 + COLD * near) * inside
    best = aligned.topk(min(top, aligned.shape[1]), dim=1).indices
    kept = torch.zeros_like(inside).scatter_(1, best, True) & inside
    chosen_at = torch.where(kept, aligned, torch.full_like(aligned, -1.0))
    chosen = chosen_at.argmax(2)  # a place inside several boxes stands for the best aligned one
    own = functional.one_hot(chosen, aligned.shape[2]).bool() & kept
    most = torch.where(own, aligned, 0.0).amax(1, keepdim=True).clamp(min=1e-12)
    reach = torch.where(own, overlap, 0.0).amax(1, keepdim=True).clamp(min=LEAST)
    score = torch.where(own, aligned / most * reach, 0.0).amax(2)  # [B, N]
    names = classes.clamp(min=0).gather(1, chosen)
    return chosen, functional.one_hot(names, scores.shape[2]) * score[..., None]


def _closeness(truth: Tensor, places: Grid) -> tuple[Tensor, Tensor]:
    """[B, N, M]: whether a place lies in a box (or in the middle of one smaller than its cell), and how near it is."""
    half = torch.maximum(truth[:, None, :, 2:] / 2, 0.51 * places.cells[None, :, None])
    apart = ((places.centres[None, :, None] - truth[:, None, :, :2]).abs() / half).amax(-1)
    side = truth[..., 2:].prod(-1).clamp(min=1e-8).sqrt()[:, None]
    own = CELLS * places.cells.mean(-1)[None, :, None]
    fit = torch.exp(-0.7 * torch.log2(side / own).abs())
    return apart < 1, (1 - apart).clamp(min=0) * fit
