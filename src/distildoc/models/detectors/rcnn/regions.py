"""The second stage: what class a proposal is, where its box is exactly, and which of its cells it covers.

Paper: He et al. 2017, arXiv:1703.06870, section 3.1 and figure 4, right (heads on a feature pyramid).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from distildoc.losses.precision import full
from distildoc.models.detectors.rcnn.roi_align import Rois
from distildoc.models.detectors.rcnn.sampling import REGION, Regions, drawn, matched, shares
from distildoc.models.detectors.rcnn.spec import RcnnSpec
from distildoc.models.detectors.rcnn.terms import Term, counted, summed

BOX_BINS, MASK_BINS = 7, 14  # cells a side that the two branches read
MASK_SIDE = 2 * MASK_BINS  # cells a side of a mask
REGION_FROM = 0.5  # IoU from which a proposal stands for a region
SHARE = 0.25  # of the drawn proposals that stand for regions, at most


class BoxBranch(nn.Module):
    """[N, C, 7, 7] to class logits [N, classes + 1], background last, and offsets [N, classes, 4]."""

    def __init__(self, spec: RcnnSpec) -> None:
        super().__init__()
        self.first = nn.Linear(spec.channels * BOX_BINS**2, spec.hidden)
        self.second = nn.Linear(spec.hidden, spec.hidden)
        self.classes = nn.Linear(spec.hidden, spec.classes + 1)
        self.offsets = nn.Linear(spec.hidden, 4 * spec.classes)
        for layer in (self.first, self.second):
            nn.init.kaiming_uniform_(layer.weight, a=1)
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.normal_(self.offsets.weight, std=0.001)
        for layer in (self.first, self.second, self.classes, self.offsets):
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        hidden = functional.relu(self.first(features.flatten(1)))
        hidden = functional.relu(self.second(hidden))
        return full(self.classes(hidden)), full(self.offsets(hidden)).reshape(-1, self.offsets.out_features // 4, 4)


class MaskBranch(nn.Module):
    """[N, C, 14, 14] to the logits of a mask a class, [N, classes, 28, 28]."""

    def __init__(self, spec: RcnnSpec) -> None:
        super().__init__()
        widths = [spec.channels] + [spec.mask_width] * spec.mask_depth
        self.convolutions = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths))
        self.larger = nn.ConvTranspose2d(widths[-1], spec.mask_width, 2, stride=2)
        self.masks = nn.Conv2d(spec.mask_width, spec.classes, 1)
        for layer in (*self.convolutions, self.larger):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(cast(Tensor, layer.bias))
        nn.init.normal_(self.masks.weight, std=0.001)
        nn.init.zeros_(cast(Tensor, self.masks.bias))

    def forward(self, features: Tensor) -> Tensor:
        for convolution in self.convolutions:
            features = functional.relu(convolution(features))
        return full(self.masks(functional.relu(self.larger(features))))


@dataclass(frozen=True)
class Drawn:
    """Proposals that the second stage learns from, those on regions first within a page.

    classes  [N] int64; background is the number of classes.
    boxes    [N, 4] px, the region that each stands for; without meaning on background.
    scores   [N] of that region.
    wanted   [N, classes + 1] probabilities, background last; see sampling.shares.
    """

    rois: Rois
    classes: Tensor
    boxes: Tensor
    scores: Tensor
    wanted: Tensor

    def rows(self, kept: Tensor) -> "Drawn":
        parts = (self.classes, self.boxes, self.scores, self.wanted)
        return Drawn(Rois(self.rois.boxes[kept], self.rois.page[kept]), *(part[kept] for part in parts))


@torch.no_grad()
def drawn_rois(boxes: Tensor, regions: Regions, page: int, *, spec: RcnnSpec) -> Drawn:
    """From the proposals [P, 4] of one page and its regions, whose boxes join the proposals."""
    boxes = torch.cat([boxes, regions.boxes])
    at = matched(boxes, regions.boxes, low=REGION_FROM, high=REGION_FROM, best=False)
    on, off = drawn(at.state, count=spec.rois, share=SHARE)
    chosen = torch.cat([on, off])
    at = at.rows(chosen)
    wanted = shares(boxes[chosen], regions, at, high=REGION_FROM, classes=spec.classes)
    if not len(regions.boxes):  # any will do, since all is background
        regions = Regions(boxes, torch.zeros_like(boxes[:, 0]).long(), torch.ones_like(boxes[:, 0]))
    found = regions.classes[at.nearest].where(at.state == REGION, spec.classes)
    own, scores = regions.boxes[at.nearest], regions.scores[at.nearest]
    return Drawn(Rois(boxes[chosen], torch.full_like(chosen, page)), found, own, scores, wanted)


def joined(parts: list[Drawn], like: Tensor, *, classes: int) -> Drawn:
    """Of all pages; empty where there are none, on the device of `like` [..., 4]. `classes` without background."""
    none = like.new_zeros(0, 4, dtype=torch.float32)
    index = torch.zeros(0, dtype=torch.long, device=like.device)
    parts = [Drawn(Rois(none, index), index, none, none[:, 0], none.new_zeros(0, classes + 1)), *parts]
    rois = Rois(torch.cat([one.rois.boxes for one in parts]), torch.cat([one.rois.page for one in parts]))
    names = ("classes", "boxes", "scores", "wanted")
    return Drawn(rois, *(torch.cat([getattr(one, name) for one in parts]) for name in names))


def rectangle_masks(rois: Tensor, boxes: Tensor) -> Tensor:
    """Which cells of each roi [N, 4] have their centre in the box [N, 4] beside it, [N, 28, 28] of 0 and 1.

    Layout data has boxes and no outlines, so the mask of a region is its rectangle.
    """
    steps = (torch.arange(MASK_SIDE, device=rois.device) + 0.5) / MASK_SIDE
    x = rois[:, :1] + steps * (rois[:, 2:3] - rois[:, :1])
    y = rois[:, 1:2] + steps * (rois[:, 3:] - rois[:, 1:2])
    across = (x >= boxes[:, :1]) & (x <= boxes[:, 2:3])
    down = (y >= boxes[:, 1:2]) & (y <= boxes[:, 3:])
    return (down[:, :, None] & across[:, None]).float()


def mask_term(logits: Tensor, chosen: Drawn, pages: int) -> Term:
    """Mean cross-entropy over the cells of the true class's mask [N, classes, 28, 28], divided by the regions."""
    own = logits[torch.arange(len(logits), device=logits.device), chosen.classes]
    wanted = rectangle_masks(chosen.rois.boxes, chosen.boxes)
    values = functional.binary_cross_entropy_with_logits(own, wanted, reduction="none").mean((1, 2))
    return Term(summed(chosen.scores * values, chosen.rois.page, pages), counted(chosen.rois.page, pages))


def on_regions(chosen: Drawn, background: int) -> Drawn:
    """Without the background."""
    return chosen.rows((chosen.classes != background).nonzero().flatten())
