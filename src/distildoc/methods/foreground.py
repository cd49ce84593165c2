"""Foreground features: learn the teacher's pyramid where the regions are, and where the teacher looks.

    L = mean_levels mean_pages [ 1/N sum_cells S D  +  background x mean_{cells without box} D
                                 + attention x ( mean |A_s(f(F_s)) - A_s(F_t)| + mean |A_c(f(F_s)) - A_c(F_t)| ) ]
    D = A_s(F_t) mean_c A_c(F_t) ( f(F_s) - F_t )^2        S = 1 / cells of the smallest of the page's N boxes on a cell
    A_s = h w softmax_cells( mean_c |F| / T )              A_c = C softmax_c( mean_cells |F| / T )

Paper: Yang et al. 2022, arXiv:2111.11837 (FGD), section 3.1, focal distillation; f is a 1x1 convolution a level,
learned along and left behind at export. Their global distillation (section 3.2) is not here: it compares relations
between cells, whatever the boxes. Add the term `supervised`.

We differ: sums over channels and over a page's boxes are means, so that one weight suits pages of 3 and of 100 regions
and any width (theirs, 5e-5 with Mask R-CNN, has the channels in it; `background` and `attention` are the ratios of
theirs). Boxes are the page's own, true or pseudo. For pages without, they are the teacher's above the score of their
class in the pair's thresholds, or above `threshold`; with `unlabelled: skip` such pages add nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from distildoc.core.batch import UNKNOWN, Batch, refuse_scores
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.features import same_grid
from distildoc.losses.foreground import attended, attention_gap, covered, scale_weights
from distildoc.losses.means import mean_where
from distildoc.losses.precision import full
from distildoc.models.levels import Level, paired_pyramids

KIND: Kind = "features"
PAPER = Paper("Yang et al.", 2022, "2111.11837", "Focal and Global Knowledge Distillation for Detectors")
TASKS = ("detection",)
LEAST = 0.3  # what chosen thresholds are raised to: a class that the teacher hardly knows has its best F1 far below
Boxes = tuple[Tensor, Tensor, Tensor]  # [B, M, 4], which of them are there [B, M], pages whose boxes are known [B]


@dataclass(frozen=True)
class Weights:
    """Temperature of the attentions, and what background and attention weigh beside the foreground."""

    temperature: float
    background: float
    attention: float


class Foreground(nn.Module):
    """One 1x1 convolution a level.

    levels      (student's, teacher's), in order.
    thresholds  score of every class, in the student's order, from which the teacher's boxes count; None: never.
    """

    thresholds: Tensor | None

    def __init__(self, levels: Sequence[tuple[Level, Level]], weights: Weights, thresholds: Tensor | None) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.adapters = nn.ModuleList(nn.Conv2d(s.channels, t.channels, 1) for s, t in levels)
        self.weights = weights
        self.register_buffer("thresholds", thresholds, persistent=False)

    @property
    def needs(self) -> Needs:
        student, teacher = (tuple(level.tap for level in levels) for levels in zip(*self.levels, strict=True))
        return Needs(student_taps=student, teacher_taps=teacher, teacher_outputs=self.thresholds is not None)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        teacher = one(teacher)
        boxes = own_boxes(batch.targets)
        if self.thresholds is not None:
            boxes = with_teachers(boxes, teacher.outputs, self.thresholds)
        losses = [
            self._level(t.of(teacher), adapter(s.of(student)), boxes)
            for (s, t), adapter in zip(self.levels, self.adapters, strict=True)
        ]
        foreground, background, attention = torch.stack(losses).mean(0)
        weights = self.weights
        return {
            "foreground": foreground,
            "background": weights.background * background,
            "attention": weights.attention * attention,
        }

    def _level(self, teacher: Tensor, student: Tensor, boxes: Boxes) -> Tensor:
        """[3]: foreground, background and attention of one level, means over the pages whose boxes are known."""
        teacher, student = same_grid(teacher, student)
        cells = covered(boxes[0], boxes[1], (teacher.shape[2], teacher.shape[3]))
        temperature = self.weights.temperature
        difference = attended(teacher, student, temperature=temperature)
        outside = ~cells.any(1)
        values = (
            (scale_weights(cells) * difference).sum((1, 2)) / boxes[1].sum(1).clamp(min=1),
            (outside * difference).sum((1, 2)) / outside.sum((1, 2)).clamp(min=1),
            attention_gap(teacher, student, temperature=temperature),
        )
        return torch.stack([mean_where(value, boxes[2]) for value in values])


def build(
    pair: Pair,
    *,
    temperature: PositiveFloat = 0.5,
    background: NonNegativeFloat = 0.5,
    attention: NonNegativeFloat = 1.0,
    unlabelled: Literal["teacher", "skip"] = "teacher",
    threshold: NonNegativeFloat = 0.4,
) -> Method:
    """temperature: of the attentions. background, attention: what they weigh beside the foreground.

    unlabelled: whether pages without boxes take the teacher's; threshold: their least score, where none was chosen.
    """
    levels = paired_pyramids(pair, "foreground")
    scores = [max(LEAST, pair.thresholds.get(label, threshold)) for label in pair.student.labels]
    thresholds = torch.tensor(scores) if unlabelled == "teacher" else None
    return Foreground(levels, Weights(temperature, background, attention), thresholds)


def own_boxes(targets: Mapping[str, Tensor]) -> Boxes:
    """The boxes that came with the pages."""
    refuse_scores(targets, "foreground")
    known = targets["origin"] != UNKNOWN
    return targets["boxes"], (targets["classes"] >= 0) & known[:, None], known


def with_teachers(boxes: Boxes, outputs: Mapping[str, Tensor], thresholds: Tensor) -> Boxes:
    """The same, and the teacher's confident boxes on pages whose boxes are not known."""
    own, present, known = boxes
    sure = (full(outputs["logits"]).sigmoid() >= thresholds).any(2) & ~known[:, None]
    together, there = torch.cat([own, full(outputs["boxes"]).to(own.dtype)], 1), torch.cat([present, sure], 1)
    most = max(1, int(there.sum(1).max()))  # few of the teacher's queries are regions, and every box costs a map
    first = there.int().argsort(dim=1, descending=True, stable=True)[:, :most]
    rows = torch.arange(len(first), device=first.device)[:, None]
    return together[rows, first], there[rows, first], torch.ones_like(known)
