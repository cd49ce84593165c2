"""Mask R-CNN's head: proposals on a pyramid, then a class, a box and a mask for each.

    L = rpn_class + rpn_box + class + box + mask,   all with weight 1

Paper: He et al. 2017, arXiv:1703.06870; settings of Detectron2, as in DistilDoc (arXiv:2406.08226). We differ in the
masks, which are the rectangles of the boxes, and in suppressing the `candidates` surest pairs of box and class.

Outputs: `logits` [B, K, classes] with the logit of a region's score at its class and -20 elsewhere, and `boxes`
[B, K, 4] in shares of the input, surest first; empty rows have -20 and (0.5, 0.5, 0, 0). While training with targets
the rows are the drawn proposals instead, not suppressed, with the logit of every class.

Targets that hold `rois` [B, R, 4] in shares get what the second stage says of those boxes: `rois/logits`
[B, R, classes + 1], background last, and `rois/offsets` [B, R, classes, 4]. What it says of its own proposals is to be
tapped at `rois`, see `of_proposals`.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.batch import UNKNOWN
from distildoc.losses.precision import full
from distildoc.models.detectors.rcnn.boxes import ROI_WEIGHTS, clipped, in_pixels, in_shares, moved, offsets
from distildoc.models.detectors.rcnn.nms import greedy_keep
from distildoc.models.detectors.rcnn.proposals import ProposalNetwork, proposal_terms, proposals
from distildoc.models.detectors.rcnn.regions import (
    BOX_BINS,
    MASK_BINS,
    BoxBranch,
    Drawn,
    MaskBranch,
    drawn_rois,
    joined,
    mask_term,
    on_regions,
)
from distildoc.models.detectors.rcnn.roi_align import FINEST, Rois, level_of, roi_align
from distildoc.models.detectors.rcnn.sampling import Regions
from distildoc.models.detectors.rcnn.spec import RcnnSpec
from distildoc.models.detectors.rcnn.terms import Term, absolute, class_term, counted, losses_of, summed
from distildoc.models.detectors.targets import labels_of

NOWHERE = -20.0  # logit of a class that a row does not have: a score of 2e-9
EMPTY = (0.5, 0.5, 0.0, 0.0)  # box of a row that holds no region
SUREST = 1 - 1e-6  # scores are held below this, so that their logit is finite


class RcnnHead(nn.Module):
    """Maps [B, C, h, w] of strides 4, 8, 16, 32 and 64 to regions, and with targets the losses.

    The second stage reads all maps but the last.
    """

    def __init__(self, spec: RcnnSpec) -> None:
        super().__init__()
        self.spec = spec
        self.rpn = ProposalNetwork(spec.channels, smallest=spec.anchor)
        self.box = BoxBranch(spec)
        self.mask = MaskBranch(spec) if spec.mask_depth else None
        self.rois = nn.Identity()  # a place for taps

    def forward(self, maps: Sequence[Tensor], targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        size = FINEST * int(maps[0].shape[-2]), FINEST * int(maps[0].shape[-1])
        found = self.rpn(maps)
        before = self.spec.before_train if self.training else self.spec.before
        boxes, valid = proposals(found, size, before=before, after=self.spec.after)
        if targets is None:
            return self._regions(maps, boxes, valid, size=size)
        regions = regions_of(targets, size)
        rows = (targets["origin"] != UNKNOWN).nonzero().flatten()
        terms = proposal_terms(found, regions, rows)
        drawn = [drawn_rois(boxes[row][valid[row]], regions[row], row, spec=self.spec) for row in rows.tolist()]
        chosen = joined(drawn, boxes, classes=self.spec.classes)
        logits, by = self.box(self._read(maps, chosen.rois, BOX_BINS))
        terms |= self._box_terms(logits, by, chosen, len(boxes))
        if self.mask is not None:
            on = on_regions(chosen, self.spec.classes)
            terms["mask"] = mask_term(self.mask(self._read(maps, on.rois, MASK_BINS)), on, len(boxes))
        said = {**losses_of(terms, targets), **self._asked(maps, targets, size=size)}
        if self.training:
            return {**self._drawn(logits, by, chosen.rois, pages=len(boxes), size=size), **said}
        with torch.no_grad():  # a lent head that stays in eval mode supervises by its losses alone
            return {**self._regions(maps, boxes, valid, size=size), **said}

    def _read(self, maps: Sequence[Tensor], rois: Rois, out: int) -> Tensor:
        level = level_of(rois.boxes, anchor=self.spec.anchor, levels=len(maps) - 1)
        return roi_align(maps[:-1], rois, level=level, out=out, samples=self.spec.samples)

    def _second(self, maps: Sequence[Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Class logits [B, R, classes + 1] and offsets [B, R, classes, 4] of boxes [B, R, 4] px."""
        count = int(boxes.shape[1])
        ones = boxes[:, :1, 0].long() * 0 + 1  # from values, since an exporter may take the number of pages for fixed
        page = (ones.cumsum(0) - 1).expand(-1, count).flatten()
        logits, by = self.box(self._read(maps, Rois(boxes.flatten(0, 1), page), BOX_BINS))
        classes = self.spec.classes
        return logits.reshape(-1, count, classes + 1), by.reshape(-1, count, classes, 4)

    def _asked(
        self, maps: Sequence[Tensor], targets: Mapping[str, Tensor], *, size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """What the second stage says of the boxes that a method put among the targets."""
        if "rois" not in targets:
            return {}
        logits, by = self._second(maps, in_pixels(full(targets["rois"]), size))
        return {"rois/logits": logits, "rois/offsets": by}

    def _box_terms(self, logits: Tensor, by: Tensor, chosen: Drawn, pages: int) -> dict[str, Term]:
        """`class` over all drawn proposals; `box` over those on regions, by score, divided by the number of all."""
        page = chosen.rois.page
        on = (chosen.classes != self.spec.classes).nonzero().flatten()
        target = offsets(chosen.rois.boxes[on], chosen.boxes[on], ROI_WEIGHTS)
        values = chosen.scores[on] * absolute(by[on, chosen.classes[on]], target)
        return {
            "class": class_term(logits, chosen.wanted, page, pages),
            "box": Term(summed(values, page[on], pages), counted(page, pages)),
        }

    def _drawn(self, logits: Tensor, by: Tensor, rois: Rois, *, pages: int, size: tuple[int, int]) -> dict[str, Tensor]:
        """What the second stage says of the drawn proposals, with padding to `rois` rows a page."""
        scores = _scores(logits)
        own = by[torch.arange(len(by), device=by.device), scores.argmax(1)]
        rows = torch.cat([_logit(scores), in_shares(clipped(moved(rois.boxes, own, ROI_WEIGHTS), size), size)], 1)
        counts = torch.bincount(rois.page, minlength=pages)
        place = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rois.page]
        padding = torch.tensor([NOWHERE] * self.spec.classes + list(EMPTY), device=rows.device)
        outputs = padding.repeat(pages, self.spec.rois, 1)
        outputs[rois.page, place] = rows
        return {"logits": outputs[..., :-4], "boxes": outputs[..., -4:]}

    def _regions(
        self, maps: Sequence[Tensor], boxes: Tensor, valid: Tensor, *, size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Classes and boxes of all proposals [B, P, 4], suppressed within a class, the surest first."""
        count, classes = int(boxes.shape[1]), self.spec.classes
        logits, by = self._second(maps, boxes)
        scores = (_scores(logits) * valid[..., None]).flatten(1)
        best, index = scores.topk(min(self.spec.candidates, count * classes), 1)
        kind = index % classes
        start = _rows(boxes, torch.div(index, classes, rounding_mode="floor"))
        at = clipped(moved(start, _rows(by.flatten(1, 2), index), ROI_WEIGHTS), size)
        keep = greedy_keep(at, valid=best > self.spec.score, threshold=self.spec.overlap, groups=kind)
        score, order = torch.where(keep, best, 0.0).topk(min(self.spec.detections, best.shape[1]), 1)
        there = (score > 0)[..., None]
        own = kind.gather(1, order)[..., None] == torch.arange(classes, device=kind.device)
        empty = torch.tensor(EMPTY, device=at.device)
        self.rois(of_proposals(torch.where(valid[..., None], in_shares(boxes, size), empty), logits, by))
        return {
            "logits": torch.where(own & there, _logit(score)[..., None], NOWHERE),
            "boxes": torch.where(there, in_shares(_rows(at, order), size), empty),
        }


def regions_of(targets: Mapping[str, Tensor], size: tuple[int, int]) -> list[Regions]:
    """The regions of every page, in pixels."""
    return [
        Regions(
            in_pixels(one["boxes"], size), one["class_labels"], one.get("scores", torch.ones_like(one["boxes"][:, 0]))
        )
        for one in labels_of(targets)
    ]


def of_proposals(boxes: Tensor, logits: Tensor, offsets: Tensor) -> Tensor:
    """[B, P, classes + 9]: box, logits with background last, and the best class's offsets; the surest proposal first.

    boxes in shares of the input, (0.5, 0.5, 0, 0) where there is none.
    """
    return torch.cat([boxes, logits, of_best_class(logits, offsets)], -1)


def of_best_class(logits: Tensor, offsets: Tensor) -> Tensor:
    """Offsets [B, R, 4] of the likeliest class but background, from logits [B, R, classes + 1] and all offsets."""
    best = logits[..., :-1].argmax(-1)[..., None, None].expand(-1, -1, 1, 4)
    return offsets.gather(2, best)[:, :, 0]


def _scores(logits: Tensor) -> Tensor:
    """Probability of each class [..., classes], background left out."""
    return functional.softmax(logits, -1)[..., :-1]


def _logit(score: Tensor) -> Tensor:
    held = score.clamp(1 - SUREST, SUREST)
    return held.log() - (1 - held).log()


def _rows(boxes: Tensor, index: Tensor) -> Tensor:
    """Boxes [B, K, 4] at index [B, K] of boxes [B, N, 4]."""
    return boxes.gather(1, index[..., None].expand(-1, -1, 4))
