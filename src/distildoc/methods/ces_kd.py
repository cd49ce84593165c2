"""CES-KD: every page is taught by one expert of several, easy pages by a small one and hard pages by a large one.

    L = T^2 mean_pages KL( softmax(z_k / T) || softmax(z_s / T) )        k = min( stratum(view), unlocked(t) )
    stratum = floor( n r(view) )        unlocked(t) = floor( n min(1, t / t_full) ), at most n - 1

E_0 ... E_{n-1} are the experts from the smallest to the largest, in the order of `teacher.runs` with `teacher.experts:
true`; r is the rank of a view of a page by how hard it is for the largest, 0 for the easiest and below 1 for the
hardest; t is the share of the training done. Noise makes one view of a page harder than another, so all views of all
pages are ranked together; with unbounded views a page has the rank that it has as it is. The strata are of equal mass;
views that are equally hard are ranked by their ids.

Paper: Amara et al. 2022, arXiv:2209.07606. Only its abstract could be read: a chain of experts of decreasing capacity,
one of them for every image, chosen by a stratified curriculum of how hard the image is to classify, so that the student
is guided gradually. The score of difficulty, the strata, the pacing and all settings are therefore OURS, a
reconstruction; no number of the paper can be compared. The experts are meant to be a chain, each distilled from the
next larger one (Mirzadeh et al. 2020, arXiv:1902.03393): runs of `kd` that teach one another.

The weight alpha of distillation against labels is the ratio of two term weights: add the term `supervised` (alpha 0.7
is 0.7 for this term and 0.3 for that one). With one expert this is `kd`. `assignment: reversed` and `random` are
controls: the same strata, pacing and loss with hard views for small experts, or with views dealt out by chance.

Cost: a live teacher runs all experts on every batch; from caches it costs what `kd` does. Before the first step every
bounded view of all training pages is looked at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat
from torch import Tensor

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper, Seen
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, several
from distildoc.losses.difficulty import closeness, entropy, surprise
from distildoc.losses.logits import kl_from_logits

KIND: Kind = "logits"
PAPER = Paper(
    "Amara et al.", 2022, "2209.07606", "CES-KD: Curriculum-based Expert Selection for Guided Knowledge Distillation"
)

Assignment = Literal["curriculum", "reversed", "random"]
DIFFICULTIES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "loss": surprise,
    "entropy": lambda logits, label: entropy(logits),
    "margin": lambda logits, label: closeness(logits),
}


@dataclass
class ChosenExpert:
    """strata  of every view of the training pages, once they have been surveyed."""

    experts: int
    difficulty: Callable[[Tensor, Tensor], Tensor]
    assignment: Assignment
    t_full: float
    temperature: float
    seed: int
    strata: dict[Key, int] = field(default_factory=dict)

    @property
    def needs(self) -> Needs:
        return Needs(experts=self.experts, every_view=True)

    def adapt(self, student: Model) -> Model:
        return student

    def survey(self, pages: Iterable[Seen]) -> None:
        """Ranks the views by how hard they are for the largest expert."""
        found: dict[Key, float] = {}
        for batch, views in pages:
            values = self.difficulty(several(views)[-1].outputs["logits"], batch.targets["label"])
            found |= zip(batch.keys, values.tolist(), strict=True)
        self.strata = assigned(strata_of(found, self.experts), self.experts, how=self.assignment, seed=self.seed)

    def chosen(self, batch: Batch, clock: Clock) -> Tensor:
        """The expert of each page, [B] int64."""
        most = unlocked(clock.progress, self.experts, t_full=self.t_full)
        return torch.tensor([min(self._stratum(key), most) for key in batch.keys])

    def _stratum(self, key: Key) -> int:
        """Of a view, or of its page as it is where the views have no end."""
        return self.strata[key if key in self.strata else Key(key.page, 0)]

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        said = torch.stack([view.outputs["logits"] for view in several(teacher)])
        rows = torch.arange(len(batch), device=said.device)
        wanted = said[self.chosen(batch, clock).to(said.device), rows]
        return {"kl": kl_from_logits(wanted, student.outputs["logits"], temperature=self.temperature).mean()}


def strata_of(difficulty: Mapping[Key, float], count: int) -> dict[Key, int]:
    """0 for the easiest views to count - 1 for the hardest, by key; each of the same number, give or take one."""
    ranked = sorted(difficulty, key=lambda key: (difficulty[key], key))
    return {key: count * rank // len(ranked) for rank, key in enumerate(ranked)}


def assigned(strata: Mapping[Key, int], count: int, *, how: Assignment, seed: int) -> dict[Key, int]:
    """The expert of every view in the end: its stratum, the opposite one, or one by chance, each as often as before."""
    if how == "reversed":
        return {key: count - 1 - stratum for key, stratum in strata.items()}
    if how == "random":
        keys = sorted(strata)
        order = torch.randperm(len(keys), generator=torch.Generator().manual_seed(seed)).tolist()
        return {key: strata[keys[other]] for key, other in zip(keys, order, strict=True)}
    return dict(strata)


def unlocked(progress: float, experts: int, *, t_full: float) -> int:
    """The largest expert that may teach at this share of the training; all of them from `t_full` on."""
    return experts - 1 if progress >= t_full else min(experts - 1, int(experts * progress / t_full))


def build(
    pair: Pair,
    *,
    temperature: PositiveFloat = 4.0,
    difficulty: Literal["loss", "entropy", "margin"] = "loss",
    assignment: Assignment = "curriculum",
    t_full: Annotated[float, Field(ge=0, le=1)] = 0.7,
    seed: NonNegativeInt = 0,
) -> Method:
    """temperature: as in kd. difficulty: -log p of the true class (the entropy for pages without one), the entropy, or
    how close the two likeliest classes are; all of the largest expert. assignment: see the module. t_full: share of the
    training after which every view has its own expert; 0 from the first step. seed: of `assignment: random`.
    """
    experts = pair.require_experts("ces_kd")
    return ChosenExpert(experts, DIFFICULTIES[difficulty], assignment, t_full, temperature, seed)
