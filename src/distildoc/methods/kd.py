"""Soft labels: match the teacher's class probabilities.

    L = T^2 mean_pages KL( softmax(z_t / T) || softmax(z_s / T) )

Paper: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2. The mean is over pages, not over pages and classes. The
paper's alpha is the ratio of two term weights: add the term `supervised`; DistilDoc's 0.5 CE + 0.5 KD is a weight of
0.5 for each. Needs no labels. Temperature 2.5 is DistilDoc's (arXiv:2406.08226); 4 is common elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import PositiveFloat

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.logits import kl_from_logits

KIND: Kind = "logits"
PAPER = Paper("Hinton, Vinyals, Dean", 2015, "1503.02531", "Distilling the Knowledge in a Neural Network")


@dataclass(frozen=True)
class SoftLabels:
    """temperature  divides both logits; 1 leaves them unchanged."""

    temperature: float
    needs: ClassVar[Needs] = Needs()

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        logits = one(teacher).outputs["logits"], student.outputs["logits"]
        return {"kl": kl_from_logits(*logits, temperature=self.temperature).mean()}


def build(pair: Pair, *, temperature: PositiveFloat = 2.5) -> Method:
    """temperature: softens both distributions; more than 1 shows the student the teacher's second choices."""
    return SoftLabels(temperature)
