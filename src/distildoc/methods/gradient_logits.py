"""Gradient-weighted logits: match the teacher's logits where they matter to its probabilities.

    L = mean_pages mean_classes w_c ( z_s - z_t )_c^2        w = p (1 - p) / T^2,  p = softmax(z_t / T)

Paper: Hsu, Smith, Shen, Kira, Jin 2022, arXiv:2203.10163 (A closer look at knowledge distillation with features,
logits, and gradients): KD on any source is least squares whose metric is the teacher's Fisher information F, and w is
its diagonal for logits. Derived here from that statement; the paper's settings are not known to us, and these are ours:
weights are divided by their mean over all training pages and classes (before the first step), so that the term's weight
means the same as for `logit_mse`, which is this method with all weights 1 ("L2 logits"). `fisher: full` takes all of F
= (diag p - p p^T) / T^2, the second order of KL itself, and forgives a constant added to the logits; `diagonal`
(default, the practical form) does not. A class of which the teacher is sure, either way, hardly counts. Needs no
labels.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from pydantic import PositiveFloat
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper, Seen
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.gradients import fisher_square, logit_weights, weighted_mse
from distildoc.schema.errors import ConfigError

KIND: Kind = "gradients"
PAPER = Paper(
    "Hsu, Smith, Shen, Kira, Jin",
    2022,
    "2203.10163",
    "A closer look at knowledge distillation with features, logits, and gradients",
)


class GradientLogits:
    """mean  of the weights over all training pages and classes; 1 until they are surveyed."""

    needs: ClassVar[Needs] = Needs()

    def __init__(self, *, temperature: float, whole: bool) -> None:
        self.temperature = temperature
        self.whole = whole
        self.mean = 1.0

    def adapt(self, student: Model) -> Model:
        return student

    def survey(self, pages: Iterable[Seen]) -> None:
        total, count = 0.0, 0
        for _, view in pages:
            weight = self._weights(one(view))
            total, count = total + float(weight.double().sum()), count + weight.numel()
        if count and total <= 0:
            raise ConfigError(
                "the teacher is certain of every page, so its gradients weigh nothing; raise `temperature`"
            )
        self.mean = total / max(1, count)

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        wanted, found = one(teacher).outputs["logits"], student.outputs["logits"]
        if self.whole:
            square = fisher_square(wanted, found, temperature=self.temperature) / wanted.shape[1]
            return {"square": (square / self.mean).mean()}
        return {"square": weighted_mse(wanted, found, self._weights(one(teacher)) / self.mean).mean()}

    def _weights(self, teacher: View) -> Tensor:
        return logit_weights(teacher.outputs["logits"], temperature=self.temperature)


def build(pair: Pair, *, temperature: PositiveFloat = 4.0, fisher: Literal["diagonal", "full"] = "diagonal") -> Method:
    """temperature: of p; high ones make all weights alike.

    fisher: its diagonal, one weight a class, or all of it.
    """
    return GradientLogits(temperature=temperature, whole=fisher == "full")
