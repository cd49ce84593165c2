"""Gates of a mixture of experts: sharpened from epoch to epoch until the student is a tree, their entropy recorded.

    t = start / (1 + (start / end - 1) progress)        progress from 0 to 1
    L = mean_j H(d_j)        d_j: from which parents child j reads, over all levels and classes

Paper: Xue et al. 2021, arXiv:2105.04181 (KDExplainer), the hierarchical mixture of experts. Their t is 10 / epoch over
300 epochs; tied to the length of the run, that is a hyperbola from 10 to 1/30, the defaults here. The student is the
model `hme`. With `watch` the entropy is recorded and has no gradient, as in the paper's tree: this term with `watch`,
beside `supervised` and `kd`, is their first stage. Without it the entropy is also minimised, as in their virtual
attention module. The second stage, a tree that no longer changes, is a run from that student (`start_with: all`) with
`start` and `end` at 1e-6, where the gates are one-hot and have no gradient; at 0.001 parents that are nearly tied may
still change places.

Validation sees the tree from the first epoch on, long before the student is trained as one: set `keep: last`. We
differ: blocks and gates have one learning rate (theirs hold the gates for two epochs), t moves with every step, and t
follows the clock at any weight of the term, also at 0, where nothing is recorded.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import PositiveFloat
from torch import nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.routing import row_entropy
from distildoc.models.experts import Gate, gates_of
from distildoc.schema.errors import ConfigError

KIND: Kind = "structure"
PAPER = Paper("Xue et al.", 2021, "2105.04181", "KDExplainer: A Task-oriented Attention Model for Explaining KD")


class Gates:
    """gates  those of the student that was adapted last."""

    needs: ClassVar[Needs] = Needs(teacher=False, teacher_outputs=False)

    def __init__(self, start: float, end: float, *, watch: bool) -> None:
        self.start, self.end, self.watch = start, end, watch
        self.gates: list[Gate] = []

    @property
    def inside(self) -> Sequence[nn.Module]:
        return self.gates

    def adapt(self, student: Model) -> Model:
        """The same student, whose gates are held from here on."""
        self.gates = gates_of(student)
        return student

    def pace(self, clock: Clock) -> None:
        for gate in self.gates:
            gate.temperature = self.start / (1 + (self.start / self.end - 1) * clock.progress)

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        entropy = torch.cat([row_entropy(gate.scores) for gate in self.gates]).mean()
        return {"entropy": entropy.detach() if self.watch else entropy}


def build(pair: Pair, *, start: PositiveFloat = 10.0, end: PositiveFloat = 1 / 30, watch: bool = False) -> Method:
    """start, end: temperatures of the gates; a large one lets all parents in. watch: the entropy is recorded only."""
    if not gates_of(pair.student):
        raise ConfigError(
            f"gates: the student ({type(pair.student.body).__name__}) has none; take the model `hme`, which reads pages"
        )
    return Gates(start, end, watch=watch)
