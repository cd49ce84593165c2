"""CES-KD: every page is taught by one expert of several, easy pages by a small one and hard pages by a large one.

    L = T^2 mean_pages KL( softmax(z_k / T) || softmax(z_s / T) )        k = min( stratum(page), unlocked(t) )
    stratum = floor( n r(page) )        unlocked(t) = floor( n min(1, t / t_full) ), at most n - 1

E_0 ... E_{n-1} are the experts from the smallest to the largest, in the order of `teacher.runs` with `teacher.experts:
true`; r is the page's rank by how hard it is for the largest, 0 for the easiest page and below 1 for the hardest; t is
the share of the training done. The strata are of equal mass; pages that are equally hard are ranked by their ids.

Paper: Amara et al. 2022, arXiv:2209.07606. Only its abstract could be read: a chain of experts of decreasing capacity,
one of them for every image, chosen by a stratified curriculum of how hard the image is to classify, so that the student
is guided gradually. The score of difficulty, the strata, the pacing and all settings are therefore OURS, a
reconstruction; no number of the paper can be compared. The experts are meant to be a chain, each distilled from the
next larger one (Mirzadeh et al. 2020, arXiv:1902.03393): runs of `kd` that teach one another.

The weight alpha of distillation against labels is the ratio of two term weights: add the term `supervised` (alpha 0.7
is 0.7 for this term and 0.3 for that one). With one expert this is `kd`. `assignment: reversed` and `random` are
controls: the same strata, pacing and loss with hard pages for small experts, or with pages dealt out by chance.

Cost: a live teacher runs all experts on every batch; from caches it costs what `kd` does. Before the first step all
training pages are looked at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat
from torch import Tensor

from distildoc.core.batch import Batch
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
    """strata  of every training page by its id, once it has been surveyed."""

    experts: int
    difficulty: Callable[[Tensor, Tensor], Tensor]
    assignment: Assignment
    t_full: float
    temperature: float
    seed: int
    strata: dict[str, int] = field(default_factory=dict)

    @property
    def needs(self) -> Needs:
        return Needs(experts=self.experts)

    def adapt(self, student: Model) -> Model:
        return student

    def survey(self, pages: Iterable[Seen]) -> None:
        """Ranks the pages by how hard they are for the largest expert."""
        found: dict[str, float] = {}
        for batch, views in pages:
            values = self.difficulty(several(views)[-1].outputs["logits"], batch.targets["label"])
            found |= zip((key.page for key in batch.keys), values.tolist(), strict=True)
        self.strata = assigned(strata_of(found, self.experts), self.experts, how=self.assignment, seed=self.seed)

    def chosen(self, batch: Batch, clock: Clock) -> Tensor:
        """The expert of each page, [B] int64."""
        most = unlocked(clock.progress, self.experts, t_full=self.t_full)
        return torch.tensor([min(self.strata[key.page], most) for key in batch.keys])

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        said = torch.stack([view.outputs["logits"] for view in several(teacher)])
        rows = torch.arange(len(batch), device=said.device)
        wanted = said[self.chosen(batch, clock).to(said.device), rows]
        return {"kl": kl_from_logits(wanted, student.outputs["logits"], temperature=self.temperature).mean()}


def strata_of(difficulty: Mapping[str, float], count: int) -> dict[str, int]:
    """0 for the easiest pages to count - 1 for the hardest, by page id; each of the same number, give or take one."""
    ranked = sorted(difficulty, key=lambda page: (difficulty[page], page))
    return {page: count * rank // len(ranked) for rank, page in enumerate(ranked)}


def assigned(strata: Mapping[str, int], count: int, *, how: Assignment, seed: int) -> dict[str, int]:
    """The expert of every page in the end: its stratum, the opposite one, or one by chance, each as often as before."""
    if how == "reversed":
        return {page: count - 1 - stratum for page, stratum in strata.items()}
    if how == "random":
        pages = sorted(strata)
        order = torch.randperm(len(pages), generator=torch.Generator().manual_seed(seed)).tolist()
        return {page: strata[pages[other]] for page, other in zip(pages, order, strict=True)}
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
    training after which every page has its own expert; 0 from the first step. seed: of `assignment: random`.
    """
    experts = pair.require_experts("ces_kd")
    return ChosenExpert(experts, DIFFICULTIES[difficulty], assignment, t_full, temperature, seed)
