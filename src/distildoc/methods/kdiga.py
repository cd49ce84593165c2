"""KDIGA: the teacher's class probabilities, and its gradients with respect to the pixels, so that robustness transfers.

    L = T^2 mean_pages KL( softmax(z_t / T) || softmax(z_s / T) ) + gamma mean_pages || G_s - G_t ||_2
    G_m = d CE( f_m(x), y ) / dx        the teacher's is a constant, the student's is differentiated again

Paper: Shao, Yi, Chen, Hsieh 2021, arXiv:2110.12072, "How and When Adversarial Robustness Transfers in Knowledge
Distillation?". With cross-entropy on the labels beside: add the term `supervised`; the released code weighs it and the
KL by 0.5 each, at T = 1. The student needs no adversarial training, the teacher has to be robust (`adversarial` makes
one). Where the gradients and the losses of both agree and the student is about linear near the page, its loss under
attack is no more than the teacher's.

`norm: page`, the default, is the formula above. `norm: released` is the released code's: gamma / B^2 times the norm
over the whole batch, so that its gamma (0.5 to 1000) depends on the size of the batch; its KL is a mean over pages and
classes, so its weight is 1 / C of ours. `variant: noise` looks at both models on pages with even noise of `epsilon` (in
the released code the labels' term sees the noise too); `variant: adversarial` takes the KL, not the gradients, on pages
that PGD with `steps` steps has moved against the student, and asks the teacher about the same pages (the number of
steps is a setting of ours). The iterative form of the paper is a chain of runs, each the `teacher` of the next.

Pages without a label have no gradient to compare and count for the KL alone. A gradient is that of RGB pixels: networks
that read luma alone have 0.67 of the norm of their grey gradient, which is for gamma to make up. Costs a backward of
the gradient and the teacher's gradient, the variants a pass more (noise) or `steps` more (adversarial); statistics of
batch norms then see each page twice. Second derivatives of a ReLU network are those of its linear pieces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from distildoc.core.batch import UNLABELLED, Batch
from distildoc.core.clock import Clock
from distildoc.core.draws import uniform_noise
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.alignment import gap_norm, gap_norm_of_batch
from distildoc.losses.attacks import cross_entropy, pgd, pixel_gradient
from distildoc.losses.logits import kl_from_logits
from distildoc.losses.means import mean_where

KIND: Kind = "gradients"
PAPER = Paper(
    "Shao, Yi, Chen, Hsieh",
    2021,
    "2110.12072",
    "How and When Adversarial Robustness Transfers in Knowledge Distillation?",
)
Run = Callable[[Tensor], View]


@dataclass(frozen=True)
class GradientAlignment:
    """gamma weighs the gradients against the KL; epsilon in units of pixels; see the module."""

    gamma: float
    temperature: float
    norm: Literal["page", "released"]
    variant: Literal["plain", "noise", "adversarial"]
    epsilon: float
    steps: int
    seed: int

    @property
    def needs(self) -> Needs:
        return Needs(
            live_teacher=True,
            input_gradients=True,
            own_pixels=self.variant != "plain",
            couples_batch=self.norm == "released",
        )

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        other = one(teacher).again
        assert other is not None and student.again is not None  # needs.live_teacher; the student can always run again
        pixels, found, said = batch.inputs, student, one(teacher)
        if self.variant == "noise":
            pixels = (pixels.detach() + self._noise(batch, clock)).clamp(0, 1).requires_grad_()
            found, said = student.again(pixels), other(pixels.detach())
        gap = self._gap(other, found, pixels, batch.targets["label"])
        if self.variant == "adversarial":
            moved = self._moved(student, batch, clock)
            found, said = student.again(moved), other(moved)
        logits = said.outputs["logits"].detach(), found.outputs["logits"]
        return {"kl": kl_from_logits(*logits, temperature=self.temperature).mean(), "alignment": self.gamma * gap}

    def _gap(self, teacher: Run, student: View, pixels: Tensor, label: Tensor) -> Tensor:
        """Between the gradients on the pages with a label, a scalar."""
        loss = cross_entropy(student.outputs["logits"], label).sum()
        (found,) = torch.autograd.grad(loss, pixels, create_graph=True)
        wanted = pixel_gradient(lambda x: cross_entropy(teacher(x).outputs["logits"], label), pixels)
        known = label != UNLABELLED
        if self.norm == "released":
            return gap_norm_of_batch(wanted, found) / known.sum().clamp(min=1) ** 2
        return mean_where(gap_norm(wanted, found), known)

    def _noise(self, batch: Batch, clock: Clock) -> Tensor:
        return uniform_noise(batch, epsilon=self.epsilon, seed=self.seed, step=clock.step)

    def _moved(self, student: View, batch: Batch, clock: Clock) -> Tensor:
        probe, label = student.probe, batch.targets["label"]
        assert probe is not None  # as for `again`
        return pgd(
            lambda x: cross_entropy(probe(x).outputs["logits"], label),
            batch.inputs,
            epsilon=self.epsilon,
            steps=self.steps,
            step=2 * self.epsilon / self.steps,
            start=batch.inputs.detach() + self._noise(batch, clock),
        )


def build(
    pair: Pair,
    *,
    gamma: NonNegativeFloat = 1.0,
    temperature: PositiveFloat = 1.0,
    norm: Literal["page", "released"] = "page",
    variant: Literal["plain", "noise", "adversarial"] = "plain",
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 8 / 255,
    steps: PositiveInt = 10,
    seed: NonNegativeInt = 0,
) -> Method:
    """gamma: weight of the gradients against the KL; too much of it costs accuracy. norm, variant: see the module.
    epsilon: of the noise or the attack, 0..1. steps: of the attack. seed: of the noise and the attack's start.
    """
    return GradientAlignment(gamma, temperature, norm, variant, epsilon, steps, seed)
