"""Boundary-supporting samples: agree with the teacher where it is about to change its mind.

    L = T^2 mean_bases KL( softmax(z_t(x') / T) || softmax(z_s(x') / T) )
    x' : x <- clip( x + eta (m + 1e-4) grad(z_k - z_y) / ||grad|| )        m = z_y - z_k

The walk to x' ends where the teacher says another class; z and gradients in it are the teacher's. Bases x are pages of
class y that both networks name rightly, at most `most` of a batch, those first on which they differ most over the other
classes: sum_{k != y} (p_t,k - p_s,k)^2. The class k that a page is driven to is drawn in proportion to the teacher's
probabilities of the other classes.

Paper: Heo et al. 2019, arXiv:1805.05532, section 3. Its whole loss is three terms: `supervised`; `kd` at T = 3 with a
weight from 4 down to 1, `{kind: linear, start: 4, end: 1}`; and this one with a weight from 2 down to 0 at three
quarters of the training, `{kind: linear, start: 2, end: 0, until: 0.75}`. 10 steps of eta = 0.3 are those of the
authors' code.

The teacher runs on pages of our making at every step, so no cache can serve it. Bases are chosen among the pages of a
batch, and the mean is over them, so batches are not accumulated. We differ: pixels are those in 0..1 that all models
see; a page without a label counts as what the teacher says; which class k is drawn is a function of seed, step and
page. `base: teacher` takes pages that the teacher names rightly, whatever the student says. The student sees the batch
again with its bases replaced, so statistics of batch norms see both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.draws import page_generator
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.logits import kl_from_logits
from distildoc.losses.precision import full

KIND: Kind = "logits"
PAPER = Paper(
    "Heo et al.", 2019, "1805.05532", "Knowledge Distillation with Adversarial Samples Supporting Decision Boundary"
)
BEYOND = 1e-4  # added to the margin, in logits, so that a step at the boundary crosses it
SMALLEST = 1e-12  # least square of a gradient's norm that is divided by


@dataclass(frozen=True)
class BoundarySamples:
    """base     whose rightness makes a page a base.
    most     bases of a batch.
    steps, size  of the way to the boundary.
    """

    temperature: float
    base: Literal["both", "teacher"]
    most: int
    steps: int
    size: float
    seed: int
    needs: ClassVar[Needs] = Needs(couples_batch=True, live_teacher=True, own_pixels=True)

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        teaching, own = one(teacher), student.outputs["logits"]
        assert teaching.again is not None and student.again is not None  # a live teacher, as it needs
        label = _known(batch.targets["label"], teaching.outputs["logits"])
        rows = self.bases(teaching.outputs["logits"], own.detach(), label)
        if not len(rows):
            return {"boundary": 0.0 * full(own).sum()}
        target = self.targets(teaching.outputs["logits"][rows], label[rows], batch.select(rows), clock)
        moved = to_boundary(
            teaching.again, batch.inputs[rows].detach(), label[rows], target, steps=self.steps, size=self.size
        )
        pixels = batch.inputs.detach().clone()
        pixels[rows] = moved
        found = student.again(pixels).outputs["logits"][rows]
        wanted = teaching.again(moved).outputs["logits"].detach()
        return {"boundary": kl_from_logits(wanted, found, temperature=self.temperature).mean()}

    def bases(self, teacher: Tensor, student: Tensor, label: Tensor) -> Tensor:
        """Rows of the pages to start from, [N] int64."""
        right = teacher.argmax(1) == label
        if self.base == "both":
            right = right & (student.argmax(1) == label)
        apart = (functional.softmax(full(teacher), 1) - functional.softmax(full(student), 1)).square()
        apart = apart.scatter(1, label[:, None], 0.0).sum(1)
        order = torch.where(right, apart, -1.0).argsort(descending=True, stable=True)
        return order[: min(self.most, int(right.sum()))]

    def targets(self, logits: Tensor, label: Tensor, pages: Batch, clock: Clock) -> Tensor:
        """The class that each page is driven to, [N] int64."""
        chance = functional.softmax(full(logits).scatter(1, label[:, None], -torch.inf), 1).cpu()
        draws = [page_generator(key, seed=self.seed, step=clock.step) for key in pages.keys]
        drawn = [torch.multinomial(row, 1, generator=draw) for row, draw in zip(chance, draws, strict=True)]
        return torch.cat(drawn).to(label.device)


def _known(label: Tensor, teacher: Tensor) -> Tensor:
    return torch.where(label >= 0, label, teacher.argmax(1))


def to_boundary(
    again: Callable[[Tensor], View], pixels: Tensor, label: Tensor, target: Tensor, *, steps: int, size: float
) -> Tensor:
    """The pages [N, 3, H, W] moved towards class `target` until the network says another class than `label`."""
    for _ in range(steps):
        pixels = pixels.detach().requires_grad_()
        logits = full(again(pixels).outputs["logits"])
        gap = (logits.gather(1, target[:, None]) - logits.gather(1, label[:, None])).squeeze(1)
        moving = logits.argmax(1) == label
        if not moving.any():
            break
        (slope,) = torch.autograd.grad(gap.sum(), pixels)
        norm = slope.square().sum((1, 2, 3)).clamp(min=SMALLEST).sqrt()
        step = torch.where(moving, size * (BEYOND - gap.detach()) / norm, 0.0)
        pixels = (pixels.detach() + step[:, None, None, None] * slope).clamp(0, 1)
    return pixels.detach()


def build(
    pair: Pair,
    *,
    temperature: PositiveFloat = 3.0,
    base: Literal["both", "teacher"] = "both",
    most: PositiveInt = 64,
    steps: PositiveInt = 10,
    size: PositiveFloat = 0.3,
    seed: NonNegativeInt = 0,
) -> Method:
    """base, most: which pages are moved, and how many of a batch. steps, size: of the way to the boundary; a step
    is `size` x margin long, Euclidean, in pixels of 0..1 for a margin in logits. seed: of the classes that
    pages are driven to.
    """
    return BoundarySamples(temperature, base, most, steps, size, seed)
