"""Gradient-weighted features: predict the teacher's features, each weighted by what it means to the teacher's answer.

    L = mean_pages mean_j w_j ( r(f_s) - f_t )_j^2        w_j = sum_c p_c ( d log p_c / d f_t,j )^2

Paper: Hsu, Smith, Shen, Kira, Jin 2022, arXiv:2203.10163 (A closer look at knowledge distillation with features,
logits, and gradients). w is the diagonal of the teacher's Fisher information, W = diag(F)^{1/2}: to second order the
loss is how far the teacher's answer would move. Derived here from that statement; the paper's layers and settings are
not known to us. Ours: r is linear (a 1x1 convolution with a bias, trained along and left behind at export); w is
divided by its mean over all training pages, taken before the first step, so that `weights: none`, the control with the
same r, weighs the same.

For the vector that a linear head reads, w has a closed form. For a deeper tap it comes from one backward pass through
the teacher a class, or from `draws` classes drawn from p a page, at every batch or once for the teacher's cache. Tokens
are laid out on the page without their leading ones, and the larger of two maps is averaged down to the smaller, weights
alike. Features behind the last use of a page (the last patch tokens of a ViT whose head reads the CLS token) have no
gradient and are refused. Needs no labels. `fitnet` is the same idea with a batch norm in r.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import NonNegativeInt
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper, Seen
from distildoc.core.model import Model, evaluating
from distildoc.core.pair import Pair
from distildoc.core.taps import Taps, resolve, weights_tap
from distildoc.core.texts import Tokenise
from distildoc.core.view import View, one
from distildoc.losses.features import mse, same_grid
from distildoc.losses.gradients import head_weights, weighted_mse
from distildoc.losses.precision import full
from distildoc.models.grids import Grid, grid_of
from distildoc.models.heads import classifier_of
from distildoc.schema.errors import ConfigError

KIND: Kind = "gradients"
PAPER = Paper(
    "Hsu, Smith, Shen, Kira, Jin",
    2022,
    "2203.10163",
    "A closer look at knowledge distillation with features, logits, and gradients",
)


class OfHead(nn.Module):
    """Closed form for the vector that a linear head reads; its weights are copied and never trained or saved."""

    def __init__(self, head: nn.Linear, tap: str) -> None:
        super().__init__()
        self.tap = tap
        bias = torch.zeros(head.out_features) if head.bias is None else head.bias.detach().clone()
        self.register_buffer("weight", head.weight.detach().clone(), persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, teacher: View) -> Tensor:
        vector = full(teacher.features[self.tap])
        weight, bias = self.get_buffer("weight").to(vector.device), self.get_buffer("bias").to(vector.device)
        with torch.autocast(vector.device.type, enabled=False):
            logits = functional.linear(vector.flatten(1), weight, bias)
        return head_weights(logits, weight).reshape(vector.shape)


@dataclass(frozen=True)
class OfTap:
    """Those that the teacher gives, as roots, beside the tapped feature, from backward passes through it."""

    name: str

    def __call__(self, teacher: View) -> Tensor:
        return full(teacher.features[self.name]).square()


class GradientFeatures(nn.Module):
    """The regressor, where the two are compared, and what weighs.

    taps, grids  of student and teacher, in that order.
    weights      None: all 1.
    mean         of the weights over all training pages; 1 until they are surveyed.
    """

    def __init__(
        self, regressor: nn.Module, *, taps: tuple[str, str], grids: tuple[Grid, Grid], weights: OfHead | OfTap | None
    ) -> None:
        super().__init__()
        self.regressor = regressor
        self.taps = taps
        self.grids = grids
        self.weights = weights
        self.mean = 1.0

    @property
    def needs(self) -> Needs:
        weights = (self.weights.name,) if isinstance(self.weights, OfTap) else ()
        return Needs(student_taps=self.taps[:1], teacher_taps=(self.taps[1], *weights), teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def survey(self, pages: Iterable[Seen]) -> None:
        if self.weights is None:
            return
        total, count = 0.0, 0
        for _, view in pages:
            weight = self.grids[1](self.weights(one(view)))
            total, count = total + float(weight.double().sum()), count + weight.numel()
        if count and total <= 0:
            raise ConfigError(
                f"the teacher is certain of every page, so that nothing at its '{self.taps[1]}' weighs anything; set "
                "`weights: none`, or name a teacher that can be in doubt"
            )
        self.mean = total / max(1, count)

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        wanted = self.grids[1](one(teacher).features[self.taps[1]])
        found = self.grids[0](student.features[self.taps[0]])
        smaller, found = same_grid(wanted, found)
        if self.weights is None:
            return {"square": mse(smaller, self.regressor(found)).mean()}
        weight = self.grids[1](self.weights(one(teacher))) / self.mean
        weight, _ = same_grid(weight, found)
        return {"square": weighted_mse(smaller, self.regressor(found), weight).mean()}


def build(
    pair: Pair,
    *,
    student_tap: str = "penultimate",
    teacher_tap: str = "penultimate",
    weights: Literal["fisher", "none"] = "fisher",
    draws: NonNegativeInt = 0,
    regressor: Literal["linear", "identity"] = "linear",
) -> Method:
    """Taps: aliases (penultimate, early, middle, late, map, stage:N, depth:F) or module paths.

    weights: none compares plain features. draws: classes drawn a page for a deeper tap; 0 takes every class.
    regressor: identity where student and teacher are of one make and the teacher's head goes on to be read.
    """
    teacher = pair.require_teacher("gradient_features")
    grids = grid_of(pair.student, pair.size), grid_of(teacher, pair.size)
    source = grids[0].shape(pair.student_shape(student_tap))[0]
    target = grids[1].shape(pair.teacher_shape(teacher_tap, "gradient_features"))[0]
    if regressor == "identity" and source != target:
        raise ConfigError(f"gradient_features: {source} channels are not {target}; set `regressor: linear`")
    r = nn.Conv2d(source, target, 1) if regressor == "linear" else nn.Identity()
    weigh: OfHead | OfTap | None = None
    if weights == "fisher":
        head, vector = classifier_of(teacher)
        closed = resolve(teacher, teacher_tap) == resolve(teacher, vector)
        weigh = OfHead(head, teacher_tap) if closed else OfTap(weights_tap(teacher_tap, draws))
    if isinstance(weigh, OfTap):
        _check_gradient(teacher, teacher_tap, grids[1], pair.size)
    return GradientFeatures(r, taps=(student_tap, teacher_tap), grids=grids, weights=weigh)


def _check_gradient(teacher: Model, tap: str, grid: Grid, size: tuple[int, int]) -> None:
    """Raises ConfigError for a tap behind the last use of a page, or of a text: a pass over the pages is not wanted.

    Logits are asked, not probabilities: a teacher that is certain of its answer still depends on the tap.
    """
    if isinstance(teacher.normalise, Tokenise):
        raise ConfigError(
            "gradients to a deeper layer are of pages, and this run reads texts; compare `penultimate`, which the head "
            "reads"
        )
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    page = noise.to(next(teacher.parameters()).device).requires_grad_()
    with evaluating(teacher), Taps(teacher, [tap]) as taps, torch.enable_grad():
        view = taps(page)
        square = view.outputs["logits"].square().sum()
        (gradient,) = torch.autograd.grad(square, view.features[tap], allow_unused=True)
    if gradient is None or not grid(gradient).any():
        raise ConfigError(
            f"gradient_features: the teacher's answers do not depend on its '{tap}'; set `teacher_tap` to an earlier "
            "layer"
        )
