"""Labels only: the task's own loss, e.g. cross-entropy.

    L = mean over the labelled pages of loss(student, target)

No paper. As the only term it is the supervised baseline, through the same code as every method; beside other terms it
is the part that the literature weighs with alpha. Pages without targets add nothing; a batch without any gives 0. A
detector's own losses (boxes, classes, denoising ...) come under their names. It never sees the teacher (in DistilDoc's
released code the "CE" baseline did).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View

KIND: Kind = "labels"
PAPER: Paper | None = None
TASKS = ("classification", "detection")


@dataclass(frozen=True)
class Supervised:
    """loss  the task's."""

    loss: Callable[[View, Batch], Losses]
    needs: ClassVar[Needs] = Needs(teacher=False, teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        return self.loss(student, batch)


def build(pair: Pair) -> Method:
    """The loss of the pair's task."""
    return Supervised(pair.task.loss)
