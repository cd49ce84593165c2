"""Adversarial training: learn the labels of the worst pixels near each page.

    L = mean over the labelled pages of CE( f(x'), y )        x' = PGD from a random start, ||x' - x||_inf <= epsilon

Paper: Madry et al. 2018, arXiv:1706.06083, section 2.1 and 5: a random start and, on small colour images, epsilon of
8/255 with 7 steps of 2/255, which are the defaults here (on one's own pages another epsilon may fit). It needs no
teacher: with it a run makes a robust one for `kdiga`.

We differ: the attack looks at the student in evaluation mode, so that its many passes leave the statistics of batch
norms alone; these see each page twice a step, as it is (for the other terms of a run) and attacked. The random start is
the same for all colours of a pixel, and depends on seed, page and step. A step costs `steps` passes more than labels
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from distildoc.core.batch import UNLABELLED, Batch
from distildoc.core.clock import Clock
from distildoc.core.draws import uniform_noise
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.attacks import cross_entropy, pgd
from distildoc.losses.means import mean_where

KIND: Kind = "labels"
PAPER = Paper("Madry et al.", 2018, "1706.06083", "Towards Deep Learning Models Resistant to Adversarial Attacks")


@dataclass(frozen=True)
class Adversarial:
    """epsilon and the attack's `step` in units of pixels, 0..1."""

    epsilon: float
    steps: int
    step: float
    seed: int
    needs: ClassVar[Needs] = Needs(teacher=False, teacher_outputs=False, own_pixels=True)

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        probe, again = student.probe, student.again
        assert probe is not None and again is not None  # the distiller's student can always be run again
        label = batch.targets["label"]
        start = batch.inputs.detach() + uniform_noise(batch, epsilon=self.epsilon, seed=self.seed, step=clock.step)
        worst = pgd(
            lambda pixels: cross_entropy(probe(pixels).outputs["logits"], label),
            batch.inputs,
            epsilon=self.epsilon,
            steps=self.steps,
            step=self.step,
            start=start,
        )
        losses = cross_entropy(again(worst).outputs["logits"], label)
        return {"cross_entropy": mean_where(losses, label != UNLABELLED)}


def build(
    pair: Pair,
    *,
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 8 / 255,
    steps: PositiveInt = 7,
    step: Annotated[float, Field(gt=0, lt=1)] | None = None,
    seed: NonNegativeInt = 0,
) -> Method:
    """epsilon: largest change of a pixel, 0..1. steps, step: of the attack; by default a step is a quarter of epsilon.
    seed: of the random starts.
    """
    return Adversarial(epsilon, steps, epsilon / 4 if step is None else step, seed)
