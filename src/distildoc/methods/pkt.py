"""Probabilistic knowledge transfer: the pages that are near each other in the teacher are near in the student.

    L = sum_taps sum_kernels mean_ij (p_t - p_s) (log p_t - log p_s)        p_{j|i} = k(i, j) / sum_j k(i, j)

Paper: Passalis, Tefas 2018, arXiv:1803.10837. Symmetric divergence, mean over i and j and the sum of both
kernels are those of the same authors' release of 2020 (method `flow`); which of them the tables of 2018 used we could
not see, so the kernel is a setting. Needs no labels and no projection: only pages are compared with pages, so the
widths of the two networks are their own business.

Maps and tokens are flattened whole, without leading tokens. The loss is small, a divergence between rows over the size
of the batch: an optimiser that divides by the gradient's size does not mind; beside another term weigh it up.
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
from distildoc.losses.probabilistic import KernelName, neighbourhoods
from distildoc.models.grids import Grid, grid_of
from distildoc.schema.errors import ConfigError

KIND: Kind = "relations"
PAPER = Paper("Passalis, Tefas", 2018, "1803.10837", "Probabilistic Knowledge Transfer for Lightweight Deep Models")


@dataclass(frozen=True)
class Neighbours:
    """taps   (student's, teacher's), in pairs.
    grids  of student and teacher, in that order.
    """

    taps: tuple[tuple[str, str], ...]
    grids: tuple[Grid, Grid]
    kernel: KernelName

    @property
    def needs(self) -> Needs:
        student, teacher = (tuple(pair[side] for pair in self.taps) for side in (0, 1))
        return Needs(student_taps=student, teacher_taps=teacher, teacher_outputs=False, couples_batch=True)

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        other = one(teacher)
        losses = []
        for own_tap, other_tap in self.taps:
            found, wanted = self.grids[0](student.features[own_tap]), self.grids[1](other.features[other_tap])
            losses.append(neighbourhoods(wanted, found, kernel=self.kernel).mean())
        return {"jeffreys": torch.stack(losses).sum()}


def build(
    pair: Pair,
    *,
    student_taps: tuple[str, ...] = ("penultimate",),
    teacher_taps: tuple[str, ...] = ("penultimate",),
    kernel: KernelName = "both",
) -> Method:
    """Taps are compared in order: aliases (early, middle, late, map, penultimate, stage:N, depth:F) or module paths.

    kernel: cosine is blind to scale, student_t is not; both adds their losses, as the authors' later release does.
    """
    teacher = pair.require_teacher("pkt")
    if not student_taps or len(student_taps) != len(teacher_taps):
        raise ConfigError(
            f"pkt compares taps in pairs, got {list(student_taps)} and {list(teacher_taps)}; name as many of either"
        )
    grids = grid_of(pair.student, pair.size), grid_of(teacher, pair.size)
    return Neighbours(tuple(zip(student_taps, teacher_taps, strict=True)), grids, kernel)
