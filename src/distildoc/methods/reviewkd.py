"""ReviewKD: every level of the student, fused with its coarser ones, learns the teacher's level of that size.

    L = mean_levels mean_pages HCL( ABF(F_s)_i , F_t,i )
    HCL(s, t) = ( mse(s, t) + sum_{k = 4, 2, 1} w_k mse(pool_k s, pool_k t) ) / ( 1 + sum_k w_k ),  w = 1/2, 1/4, 1/8

Paper: Chen et al. 2021, arXiv:2104.09044, section 3: attention-based fusion (ABF) and hierarchical context loss (HCL);
pool_k averages to k x k cells, and is left out, with its weight, where the map is no larger than that (then the next k
has the weight of the one left out, as in the authors' code). The fusion is left behind at export. Add `supervised`.

We differ: levels are averaged, the authors add them up (their weight 0.8 for Mask R-CNN's five levels is a weight of 4
here); the larger of two maps is averaged down to the smaller, theirs is repeated up. Detectors with unlike numbers of
levels are compared where they are each other's nearest in size. Of classifiers, up to four blocks at equal shares of
the depth are the levels; tokens are laid out on the page.
"""

from collections.abc import Sequence

import torch
from pydantic import PositiveInt
from torch import nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.features import hierarchical, same_grid
from distildoc.models.fusion import ReviewedLevels
from distildoc.models.levels import Level, paired_stages

KIND: Kind = "features"
PAPER = Paper("Chen et al.", 2021, "2104.09044", "Distilling Knowledge via Knowledge Review")
TASKS = ("classification", "detection")


class ReviewKD(nn.Module):
    """The fusion, and the (student's, teacher's) levels that are compared, from fine to coarse."""

    def __init__(self, fusion: ReviewedLevels, levels: Sequence[tuple[Level, Level]]) -> None:
        super().__init__()
        self.fusion = fusion
        self.levels = tuple(levels)

    @property
    def needs(self) -> Needs:
        student, teacher = (tuple(level.tap for level in levels) for levels in zip(*self.levels, strict=True))
        return Needs(student_taps=student, teacher_taps=teacher, teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        reviewed = self.fusion([level.of(student) for level, _ in self.levels])
        wanted = [level.of(one(teacher)) for _, level in self.levels]
        found = [hierarchical(*same_grid(t, s)) for t, s in zip(wanted, reviewed, strict=True)]
        return {"context": torch.stack(found).mean()}


def build(pair: Pair, *, width: PositiveInt = 128) -> Method:
    """width: channels inside the fusion; the authors have 256 for detectors and up to 512 for classifiers."""
    levels = paired_stages(pair, "reviewkd")
    sources, targets = [student.channels for student, _ in levels], [teacher.channels for _, teacher in levels]
    return ReviewKD(ReviewedLevels(sources, targets, width=width), levels)
