"""Region proposal network: which anchors may hold a region, and how far off they are.

    rpn_class = sum over drawn anchors of BCE(objectness) / n,    n = 256 a page
    rpn_box   = sum over those on regions of |offsets - true offsets|_1 / n

Paper: Ren et al. 2015, arXiv:1506.01497, on a pyramid as in Lin et al. 2017, arXiv:1612.03144. L1 in place of smooth
L1, the thresholds and the numbers of proposals are Detectron2's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from distildoc.losses.precision import full
from distildoc.models.detectors.rcnn.anchors import RATIOS, anchors
from distildoc.models.detectors.rcnn.boxes import ANCHOR_WEIGHTS, clipped, moved, offsets
from distildoc.models.detectors.rcnn.nms import greedy_keep
from distildoc.models.detectors.rcnn.sampling import Matched, Regions, drawn, matched, shares
from distildoc.models.detectors.rcnn.terms import Term, absolute, summed

DRAWN = 256  # anchors a page that the network learns from, at most half of them on regions
BACKGROUND_BELOW, REGION_FROM = 0.3, 0.7  # IoU of an anchor with a region
OVERLAP = 0.7  # of two proposals of a map that overlap by more, the less certain one goes
GONE = -1e4  # objectness of a proposal that was suppressed; no network gives it


@dataclass(frozen=True)
class Anchored:
    """objectness [B, N_l], offsets [B, N_l, 4] and anchors [N_l, 4] of every map."""

    objectness: list[Tensor]
    offsets: list[Tensor]
    anchors: list[Tensor]


class ProposalNetwork(nn.Module):
    """One 3 x 3 convolution and two 1 x 1 ones, the same on every map."""

    def __init__(self, channels: int, *, smallest: int) -> None:
        super().__init__()
        self.smallest = smallest
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness = nn.Conv2d(channels, len(RATIOS), 1)
        self.offsets = nn.Conv2d(channels, 4 * len(RATIOS), 1)
        for layer in (self.convolution, self.objectness, self.offsets):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, maps: Sequence[Tensor]) -> Anchored:
        hidden = [functional.relu(self.convolution(one)) for one in maps]
        places = anchors(maps, smallest=self.smallest)
        return Anchored(
            [full(self.objectness(one)).permute(0, 2, 3, 1).flatten(1) for one in hidden],
            [
                full(self.offsets(one)).permute(0, 2, 3, 1).reshape(-1, len(at), 4)
                for one, at in zip(hidden, places, strict=True)
            ],
            places,
        )


@torch.no_grad()
def proposals(found: Anchored, size: tuple[int, int], *, before: int, after: int) -> tuple[Tensor, Tensor]:
    """Boxes [B, P, 4] in px, surest first, and which of them count, [B, P] bool: the rest is padding.

    before  anchors a map that are compared; suppression runs within a map.
    after   proposals a page.
    """
    kept = [
        _of_map(objectness, by, places, size=size, before=before)
        for objectness, by, places in zip(found.objectness, found.offsets, found.anchors, strict=True)
    ]
    boxes, scores = torch.cat([part[0] for part in kept], 1), torch.cat([part[1] for part in kept], 1)
    best, index = scores.topk(min(after, scores.shape[1]), 1)
    return boxes.gather(1, index[..., None].expand(-1, -1, 4)), best > GONE


def _of_map(
    objectness: Tensor, by: Tensor, places: Tensor, *, size: tuple[int, int], before: int
) -> tuple[Tensor, Tensor]:
    """Boxes [B, K, 4] and scores [B, K] of one map, GONE where suppressed or without area."""
    best, index = objectness.topk(min(before, objectness.shape[1]), 1)
    chosen = by.gather(1, index[..., None].expand(-1, -1, 4))
    boxes = clipped(moved(places[index], chosen, ANCHOR_WEIGHTS), size)
    valid = (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
    keep = greedy_keep(boxes, valid=valid, threshold=OVERLAP)
    return boxes, torch.where(keep, best, GONE)


def proposal_terms(found: Anchored, truth: Sequence[Regions], rows: Tensor) -> dict[str, Term]:
    """`rpn_class` and `rpn_box` from the regions of every page; only the pages `rows` [n] are looked at."""
    objectness, by, places = torch.cat(found.objectness, 1), torch.cat(found.offsets, 1), torch.cat(found.anchors)
    pages = len(objectness)
    seen, wanted, at, box, target = [], [], [], [], []
    for page in rows.tolist():
        own = truth[page]
        match = matched(places, own.boxes, low=BACKGROUND_BELOW, high=REGION_FROM, best=True)
        regions, background = drawn(match.state, count=DRAWN, share=0.5)
        chosen, nearest = torch.cat([regions, background]), match.nearest[regions]
        seen.append(objectness[page, chosen])
        wanted.append(certainty(places[chosen], own, match.rows(chosen)))
        at.append(torch.full_like(chosen, page))
        off = absolute(by[page, regions], offsets(places[regions], own.boxes[nearest], ANCHOR_WEIGHTS))
        box.append(own.scores[nearest] * off)
        target.append(torch.full_like(regions, page))
    share = torch.full((pages,), float(DRAWN), device=objectness.device)
    none, nowhere = objectness.new_zeros(0), torch.zeros(0, dtype=torch.long, device=objectness.device)
    values = functional.binary_cross_entropy_with_logits(
        torch.cat([none, *seen]), torch.cat([none, *wanted]), reduction="none"
    )
    idle = (objectness.sum() + by.sum()) * 0  # a gradient path on pages without anything to learn
    return {
        "rpn_class": Term(summed(values, torch.cat([nowhere, *at]), pages) + idle, share),
        "rpn_box": Term(summed(torch.cat([none, *box]), torch.cat([nowhere, *target]), pages) + idle, share),
    }


def certainty(boxes: Tensor, regions: Regions, at: Matched) -> Tensor:
    """How certain it is that anchors [N, 4] hold a region, of whatever class."""
    classes = int(regions.classes.max()) + 1 if len(regions.boxes) else 0
    return 1 - shares(boxes, regions, at, high=REGION_FROM, classes=classes)[:, -1]
