"""Match the teacher's logits themselves.

    L = mean_pages mean_classes ( z_s - z_t )^2

Paper: Ba and Caruana 2014, arXiv:1312.6184 (regression of logits with an L2 loss); as in DistilDoc
(arXiv:2406.08226), whose code takes the mean over pages and classes and adds no cross-entropy. It is not centred: a
constant added to the student's logits costs, though it changes no probability. Needs no labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.logits import mse

KIND: Kind = "logits"
PAPER = Paper("Ba, Caruana", 2014, "1312.6184", "Do Deep Nets Really Need to be Deep?")


@dataclass(frozen=True)
class LogitMSE:
    needs: ClassVar[Needs] = Needs()

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        return {"mse": mse(one(teacher).outputs["logits"], student.outputs["logits"]).mean()}


def build(pair: Pair) -> Method:
    """Nothing to set; the weight of the term is all there is."""
    return LogitMSE()
