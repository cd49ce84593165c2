"""DGKD: the student learns from the teacher and all its assistants at once, some of them left out at every step.

    L = T^2 mean_{k in kept} mean_pages KL( softmax(z_k / T) || softmax(z_s / T) )

`drop` of the n teachers, drawn anew for every step, are not among those kept, of which there is always one.

Paper: Son et al. 2021, arXiv:2009.08825. Each assistant of the chain learns in this way from all that are larger, the
student from all of them: a chain of runs, with `teacher.experts: true`. Temperature 5 and one teacher dropped a
mini-batch are the defaults of the authors' released code, where distillation alone counts (their lambda is 1; add the
term `supervised` for another).

We differ in the scale: the released code has the sum over those kept and a mean over pages and classes. With a mean
over those kept and over pages alone a term's weight says the same for any number of teachers, and as much as in `kd`.
Who is left out depends on `seed` and the step, so that a run that goes on draws the same. With one teacher it is `kd`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from pydantic import NonNegativeInt, PositiveFloat

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, several
from distildoc.losses.logits import kl_from_logits

KIND: Kind = "logits"
PAPER = Paper(
    "Son et al.", 2021, "2009.08825", "Densely Guided Knowledge Distillation using Multiple Teacher Assistants"
)


@dataclass(frozen=True)
class DenselyGuided:
    """experts  how many teach in all, `drop` of them not at a given step."""

    experts: int
    temperature: float
    drop: int
    seed: int

    @property
    def needs(self) -> Needs:
        return Needs(experts=self.experts)

    def adapt(self, student: Model) -> Model:
        return student

    def kept(self, clock: Clock) -> list[int]:
        """Who teaches at this step, in order."""
        count = max(1, self.experts - self.drop)
        return sorted(Random(f"{self.seed} {clock.step}").sample(range(self.experts), count))

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        views = several(teacher)
        said = [views[k].outputs["logits"] for k in self.kept(clock)]
        losses = [kl_from_logits(one, student.outputs["logits"], temperature=self.temperature) for one in said]
        return {"kl": torch.stack(losses).mean()}


def build(
    pair: Pair, *, temperature: PositiveFloat = 5.0, drop: NonNegativeInt = 1, seed: NonNegativeInt = 0
) -> Method:
    """temperature: as in kd. drop: teachers left out at every step; 0 keeps all. seed: of who they are."""
    return DenselyGuided(pair.require_experts("dgkd"), temperature, drop, seed)
