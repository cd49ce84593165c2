"""Relational distillation: keep the distances and angles that pages have to each other in the teacher's features.

    L = w_d mean_{i,j} huber( d_ij(t) / mu(t), d_ij(s) / mu(s) ) + w_a mean_{i,j,k} huber( cos_ijk(t), cos_ijk(s) )

d_ij = ||f_i - f_j||, mu its mean over the pairs of the batch, cos_ijk the cosine at page i of the triangle i, j, k.

Paper: Park et al. 2019, arXiv:1904.05068, sections 3.2.1 (RKD-D) and 3.2.2 (RKD-A); 25 and 50 are the weights of its
experiments, beside cross-entropy (the term `supervised`). `angle: 0` gives RKD-D, `distance: 0` RKD-A. Features may
have any widths and are not mapped; turning them changes neither loss, scaling all of them neither. We differ in
nothing; the means are over all pairs and triplets of the batch, those of a page with itself included (they add 0), as
in the paper's code.

Pages are compared with the others of their batch, so the loss depends on `train.batch`. A page that two others equal
has no angle there, and no gradient.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import NonNegativeFloat
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.relations import rkd_angle, rkd_distance
from distildoc.schema.errors import ConfigError

KIND: Kind = "relations"
PAPER = Paper("Park et al.", 2019, "1904.05068", "Relational Knowledge Distillation")


@dataclass(frozen=True)
class Relational:
    """distance, angle  weights of the two losses; 0 leaves one out."""

    distance: float
    angle: float
    taps: tuple[str, str]

    @property
    def needs(self) -> Needs:
        return Needs(student_taps=self.taps[:1], teacher_taps=self.taps[1:], teacher_outputs=False, couples_batch=True)

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        wanted = one(teacher).features[self.taps[1]].flatten(1)
        found = student.features[self.taps[0]].flatten(1)
        losses: dict[str, Tensor] = {}
        if self.distance:
            losses["distance"] = self.distance * rkd_distance(wanted, found).mean()
        if self.angle:
            losses["angle"] = self.angle * rkd_angle(wanted, found).mean()
        return losses


def build(
    pair: Pair,
    *,
    distance: NonNegativeFloat = 25.0,
    angle: NonNegativeFloat = 50.0,
    student_tap: str = "penultimate",
    teacher_tap: str = "penultimate",
) -> Method:
    """distance, angle: weights of the two losses. Taps: aliases or module paths; what is no vector is flattened."""
    if not distance and not angle:
        raise ConfigError("rkd with `distance` and `angle` both 0 compares nothing; give one of them a weight")
    pair.student_shape(student_tap)
    pair.teacher_shape(teacher_tap, "rkd")
    return Relational(distance, angle, (student_tap, teacher_tap))
