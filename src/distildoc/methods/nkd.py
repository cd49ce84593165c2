"""NKD: normalised knowledge distillation, the true class and the others taught apart.

    L = CE(y, z_s) - p_t[c] log p_s[c] - gamma T^2 sum_{k != c} N(p_t^T)[k] log N(p_s^T)[k]

c is the true class, p = softmax(z), p^T = softmax(z / T), N renormalises without c. Paper: Yang et al. 2023,
arXiv:2303.13005, section 3; the first term, the student's own cross-entropy, is added there by the classifier's head.
DistilDoc (arXiv:2406.08226) uses the two others alone: `variant: alone`. With `variant: with_cross_entropy`, the
default, leave the term `supervised` out, or the labels count twice. Here the true class's column is dropped before
the softmax; DistilDoc masks it with -1000.

The non-target part is a cross-entropy: at agreement it equals gamma T^2 times the teacher's entropy, not 0. Pages
without a label (-1) have no true class and add nothing; means are over the labelled pages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.logits import nkd_non_target, nkd_target
from distildoc.losses.means import mean_where

KIND: Kind = "logits"
PAPER = Paper(
    "Yang et al.",
    2023,
    "2303.13005",
    "From Knowledge Distillation to Self-Knowledge Distillation: "
    "A Unified Approach with Normalized Loss and Customized Soft Labels",
)


@dataclass(frozen=True)
class NKD:
    """own  the task's supervised loss, or None for the two distillation parts alone."""

    temperature: float
    gamma: float
    own: Callable[[View, Batch], Losses] | None
    needs: ClassVar[Needs] = Needs()

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        label = batch.targets["label"]
        logits = one(teacher).outputs["logits"], student.outputs["logits"]
        losses: dict[str, Tensor] = {
            "target": mean_where(nkd_target(*logits, label), label >= 0),
            "non_target": self.gamma
            * mean_where(nkd_non_target(*logits, label, temperature=self.temperature), label >= 0),
        }
        if self.own is not None:
            losses |= self.own(student, batch)
        return losses


def build(
    pair: Pair,
    *,
    temperature: PositiveFloat = 1.0,
    gamma: NonNegativeFloat = 1.5,
    variant: Literal["with_cross_entropy", "alone"] = "with_cross_entropy",
) -> Method:
    """temperature: of the other classes; gamma: weight of their part, already in the recorded `non_target`."""
    return NKD(temperature, gamma, pair.task.loss if variant == "with_cross_entropy" else None)
