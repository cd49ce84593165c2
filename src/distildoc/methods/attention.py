"""Attention transfer: look at the same places of the page as the teacher does.

    L = sum_l mean_pages mean_{h,w} ( Q_s / ||Q_s|| - Q_t / ||Q_t|| )^2        Q = sum over the channels of F_l^2

Paper: Zagoruyko and Komodakis 2017, arXiv:1612.03928, section 3.1 (activation-based, p = 2), l over the ends of the
groups of blocks. What counts is where a map is large, so channels need not match and nothing is learned. The mean over
cells is the authors' code's; with it the usual weight is 1000 beside `supervised`.

We differ where the published form does not reach: the taps are `early`, `middle` and `late` of any two networks, tokens
are laid out on the page without their leading ones, and of two grids the attention of the larger is averaged down. A
layer whose map is one cell looks nowhere and adds 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.attention_maps import attention, attention_transfer
from distildoc.models.grids import Grid, grid_of
from distildoc.schema.errors import ConfigError

KIND: Kind = "features"
PAPER = Paper(
    "Zagoruyko and Komodakis",
    2017,
    "1612.03928",
    "Paying More Attention to Attention: Improving the Performance of Convolutional Neural Networks via Attention "
    "Transfer",
)


@dataclass(frozen=True)
class AttentionTransfer:
    """student_taps, teacher_taps  compared in order.
    grids  of student and teacher.
    """

    student_taps: tuple[str, ...]
    teacher_taps: tuple[str, ...]
    grids: tuple[Grid, Grid]

    @property
    def needs(self) -> Needs:
        return Needs(student_taps=self.student_taps, teacher_taps=self.teacher_taps, teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        layers = []
        for own, theirs in zip(self.student_taps, self.teacher_taps, strict=True):
            found = attention(self.grids[0](student.features[own]))
            wanted = attention(self.grids[1](one(teacher).features[theirs]))
            layers.append(attention_transfer(wanted, found).mean())
        return {"attention": torch.stack(layers).sum()}


def build(
    pair: Pair,
    *,
    student_taps: tuple[str, ...] = ("early", "middle", "late"),
    teacher_taps: tuple[str, ...] = ("early", "middle", "late"),
) -> Method:
    """Taps: as many of one network as of the other, compared in order; aliases or module paths of maps or tokens."""
    model = pair.require_teacher("attention")
    if len(student_taps) != len(teacher_taps) or not student_taps:
        raise ConfigError(
            f"attention compares taps in order, and there are {len(student_taps)} of the student and "
            f"{len(teacher_taps)} of the teacher; name as many of both"
        )
    grids = grid_of(pair.student, pair.size), grid_of(model, pair.size)
    most = 1
    for own, theirs in zip(student_taps, teacher_taps, strict=True):
        cells = {
            *grids[0].shape(pair.student_shape(own))[1:],
            *grids[1].shape(pair.teacher_shape(theirs, "attention"))[1:],
        }
        most = max(most, *cells)
    if most == 1:
        raise ConfigError(
            "attention compares maps, and all of these taps are vectors of one cell; name layers with maps"
        )
    return AttentionTransfer(student_taps, teacher_taps, grids)
