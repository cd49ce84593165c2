"""Similarity preserving: pages that are alike to the teacher shall be alike to the student.

    L = (1 / B^2) || G_s - G_t ||_F^2        G = A A^T with rows of norm 1, A [B, c h w] the last maps, flattened

Paper: Tung and Mori 2019, arXiv:1907.09682, section 3; weight 3000 beside cross-entropy (the term `supervised`). The
features of both networks may have any shape and are not mapped; turning or scaling them changes nothing. We differ in
nothing but that tokens lose their leading ones (CLS) before they are flattened, as the maps of CNNs have none.

Pages are compared with the others of their batch, so the loss depends on `train.batch`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.relations import similarity
from distildoc.models.grids import Grid, grid_of

KIND: Kind = "relations"
PAPER = Paper("Tung and Mori", 2019, "1907.09682", "Similarity-Preserving Knowledge Distillation")


@dataclass(frozen=True)
class SimilarityPreserving:
    """taps, grids  of student and teacher."""

    taps: tuple[str, str]
    grids: tuple[Grid, Grid]

    @property
    def needs(self) -> Needs:
        return Needs(student_taps=self.taps[:1], teacher_taps=self.taps[1:], teacher_outputs=False, couples_batch=True)

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        wanted = self.grids[1](one(teacher).features[self.taps[1]])
        found = self.grids[0](student.features[self.taps[0]])
        return {"similarity": similarity(wanted, found).mean()}


def build(pair: Pair, *, student_tap: str = "map", teacher_tap: str = "map") -> Method:
    """Taps: aliases or module paths; the paper compares the last maps."""
    grids = grid_of(pair.student, pair.size), grid_of(pair.require_teacher("sp"), pair.size)
    grids[0].shape(pair.student_shape(student_tap))
    grids[1].shape(pair.teacher_shape(teacher_tap, "sp"))
    return SimilarityPreserving((student_tap, teacher_tap), grids)
