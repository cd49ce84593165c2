"""Which boxes learn what: anchors and proposals against the true regions of a page, and a drawn share of them.

Paper: Ren et al. 2015, arXiv:1506.01497, section 3.1.2. Draws come from torch's global generator, which a training run
seeds and its checkpoints keep.
"""

import torch
from torch import Tensor

from distildoc.losses.boxes import iou

BACKGROUND, BETWEEN, REGION = 0, -1, 1


def matched(boxes: Tensor, truth: Tensor, *, low: float, high: float, best: bool) -> tuple[Tensor, Tensor]:
    """For boxes [N, 4] and true ones [M, 4]: the index of the nearest true one [N], and REGION, BACKGROUND or BETWEEN.

    low, high  IoU below which a box is background, and from which it stands for the region.
    best       the boxes nearest to a region stand for it whatever their IoU, so that no region goes without.
    A page without regions is all background.
    """
    if not len(truth):
        empty = torch.zeros(len(boxes), dtype=torch.long, device=boxes.device)
        return empty, torch.full_like(empty, BACKGROUND)
    overlap = iou(boxes[:, None], truth[None])
    value, index = overlap.max(1)
    state = torch.full_like(index, BETWEEN)
    state[value < low] = BACKGROUND
    state[value >= high] = REGION
    if best:
        top = overlap.amax(0)
        state[((overlap == top) & (top > 0)).any(1)] = REGION
    return index, state


def drawn(state: Tensor, *, count: int, share: float) -> tuple[Tensor, Tensor]:
    """Indices of at most share x count boxes that stand for regions, and of background ones up to count in all."""
    regions = _some(state == REGION, int(count * share))
    return regions, _some(state == BACKGROUND, count - len(regions))


def _some(mask: Tensor, count: int) -> Tensor:
    found = mask.nonzero().flatten()
    return found if len(found) <= count else found[torch.randperm(len(found), device=mask.device)[:count]]
