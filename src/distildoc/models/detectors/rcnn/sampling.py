"""Which boxes learn what: anchors and proposals against the regions of a page, and a drawn share of them.

A region that is less than certain is worth its score: a box that stands for it is of its class with that probability,
and background with the rest.

Paper: Ren et al. 2015, arXiv:1506.01497, section 3.1.2. Draws come from torch's global generator, which a training run
seeds and its checkpoints keep.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from distildoc.losses.boxes import iou

BACKGROUND, BETWEEN, REGION = 0, -1, 1


class Regions(NamedTuple):
    """Of one page: boxes [M, 4] px, classes [M] and scores [M], 1 where a region is certain."""

    boxes: Tensor
    classes: Tensor
    scores: Tensor


class Matched(NamedTuple):
    """nearest  [N] index of the region that each box overlaps most; state [N]: REGION, BACKGROUND or BETWEEN."""

    nearest: Tensor
    state: Tensor

    def rows(self, chosen: Tensor) -> "Matched":
        return Matched(self.nearest[chosen], self.state[chosen])


def matched(boxes: Tensor, truth: Tensor, *, low: float, high: float, best: bool) -> Matched:
    """Boxes [N, 4] against those of regions [M, 4].

    low, high  IoU below which a box is background, and from which it stands for the region.
    best       the boxes nearest to a region stand for it whatever their IoU, so that no region goes without.
    A page without regions is all background.
    """
    if not len(truth):
        empty = torch.zeros(len(boxes), dtype=torch.long, device=boxes.device)
        return Matched(empty, torch.full_like(empty, BACKGROUND))
    overlap = iou(boxes[:, None], truth[None])
    value, index = overlap.max(1)
    state = torch.full_like(index, BETWEEN)
    state[value < low] = BACKGROUND
    state[value >= high] = REGION
    if best:
        top = overlap.amax(0)
        state[((overlap == top) & (top > 0)).any(1)] = REGION
    return Matched(index, state)


def shares(boxes: Tensor, regions: Regions, at: Matched, *, high: float, classes: int) -> Tensor:
    """The class that each box [N, 4] is to be given, [N, classes + 1] with background last.

    That of the nearest region, where it stands for it, as far as that is certain, and that of uncertain ones of IoU
    `high` or more. A class has the score of its surest region, all in proportion where they exceed 1 together.
    """
    if not len(regions.boxes):
        return one_hot(torch.full_like(at.nearest, classes), classes + 1).float()
    stands = one_hot(at.nearest, len(regions.boxes)).bool() & (at.state == REGION)[:, None]
    unsure = regions.scores < 1
    if bool(unsure.any()):
        stands |= (iou(boxes[:, None], regions.boxes[None]) >= high) & unsure
    score = torch.zeros(len(boxes), classes, device=boxes.device)
    score = score.scatter_reduce(1, regions.classes.expand(len(boxes), -1), stands * regions.scores, "amax")
    score = score / score.sum(1, keepdim=True).clamp(min=1)
    return torch.cat([score, (1 - score.sum(1, keepdim=True)).clamp(min=0)], 1)


def drawn(state: Tensor, *, count: int, share: float) -> tuple[Tensor, Tensor]:
    """Indices of at most share x count boxes that stand for regions, and of background ones up to count in all."""
    regions = _some(state == REGION, int(count * share))
    return regions, _some(state == BACKGROUND, count - len(regions))


def _some(mask: Tensor, count: int) -> Tensor:
    found = mask.nonzero().flatten()
    return found if len(found) <= count else found[torch.randperm(len(found), device=mask.device)[:count]]
