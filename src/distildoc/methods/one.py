"""On-the-fly native ensemble: branches of one network learn from the labels and from their own gated ensemble.

    L = sum_b loss(z_b, label) + loss(z_e, label) + w(t) T^2 sum_b mean_pages KL( p_e^T || p_b^T )
    z_e = sum_b g_b z_b        g = softmax( relu( batch norm( linear( pooled features ) ) ) )

Paper: Lan, Zhu, Gong 2018, arXiv:1806.04606, section 3: three branches, T = 3. w rises from 0 to 1 like exp(-5 (1 -
t)^2) up to the share `ramp` of the training. A branch is a copy of the network's last stage with a classifier of its
own, on one trunk. At the end one branch is kept, `keep`, which makes a student that is in no way larger; or all of them
and the gate, `deploy: ensemble`. While it trains, the student says what the kept form says. There is no teacher; labels
are part of the method, so it is a term alone.

We differ: the gate reads the mean of the branches' pooled features, as the trunk's are pooled nowhere; the copies of
the stage begin with the same weights (trained ones, where the student starts from them), and only their classifiers set
them apart; the ensemble is a constant target in the last sum. Other terms see the logits of the kept form, but taps
from the last stage on hold all branches, one after the other along the pages.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, Schedule, constant, sigmoid
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model, evaluating
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.logits import kl_from_logits
from distildoc.losses.precision import full
from distildoc.models.branches import BranchedHead, Branching, branch, gated, keep_branch
from distildoc.models.heads import classifier_of, linear_spec
from distildoc.schema.errors import ConfigError

KIND: Kind = "peers"
PAPER = Paper("Lan, Zhu, Gong", 2018, "1806.04606", "Knowledge Distillation by On-the-Fly Native Ensemble")
LOGITS, GATE = "head.classifiers", "head.gate"  # taps: [B, m, C] and, before the softmax, [B, m]


@dataclass(frozen=True)
class NativeEnsemble:
    """labels  the task's own loss.
    keep    the branch that is deployed; None: all.
    weight  of the branches' divergence from the ensemble, over time.
    size    (height, width) of the pages, to try the branched network on.
    """

    labels: Callable[[View, Batch], Losses]
    branches: int
    keep: int | None
    temperature: float
    weight: Schedule
    size: tuple[int, int]
    needs: ClassVar[Needs] = Needs(student_taps=(LOGITS, GATE), teacher=False, teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        """A copy of the student with its last stage and its classifier branched."""
        classifier, _ = classifier_of(student)
        body, branching = deepcopy(student.body), _branching(student, self.branches)
        branch(body, branching)
        head = BranchedHead([deepcopy(classifier) for _ in range(self.branches)], keep=self.keep)
        for copy in list(head.classifiers)[1:]:
            assert isinstance(copy, nn.Linear)
            copy.reset_parameters()
        spec = {"kind": "branched", "count": self.branches, "keep": self.keep, "classifier": linear_spec(classifier)}
        recipe = {**student.recipe, "branches": branching.spec, "head": spec}
        branched = _model_like(student, body, head.to(next(student.parameters()).device), recipe)
        _try(branched, student.places.stages[-1], self.size)
        return branched

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        logits = full(student.features[LOGITS])
        ensemble = gated(logits, functional.softmax(full(student.features[GATE]), -1))
        each = logits.unbind(1)
        learnt = [loss for z in (*each, ensemble) for loss in self.labels(View({"logits": z}), batch).values()]
        return {
            "labels": torch.stack(learnt).sum(),
            "ensemble": self.weight(clock) * torch.stack([self._apart(ensemble, z).mean() for z in each]).sum(),
        }

    def _apart(self, ensemble: Tensor, logits: Tensor) -> Tensor:
        return kl_from_logits(ensemble.detach(), logits, temperature=self.temperature)

    def finish(self, student: Model) -> Model:
        """The student with one branch, of the make it had before; or as it is, where all are deployed."""
        if self.keep is None:
            return student
        body, head, branching = student.body, student.head, _branching(student, self.branches)
        assert isinstance(head, BranchedHead)
        keep_branch(body, branching, self.keep)
        classifier = head.classifiers[self.keep]
        assert isinstance(classifier, nn.Linear)
        recipe = {key: value for key, value in student.recipe.items() if key != "branches"}
        return _model_like(student, body, classifier, {**recipe, "head": linear_spec(classifier)})


def build(
    pair: Pair,
    *,
    branches: Annotated[int, Field(ge=2)] = 3,
    temperature: PositiveFloat = 3.0,
    ramp: Annotated[float, Field(ge=0, le=1)] = 0.25,
    deploy: Literal["branch", "ensemble"] = "branch",
    keep: NonNegativeInt = 0,
) -> Method:
    """ramp: share of the training until the ensemble teaches with its full weight; 0: from the start. keep: which
    branch is deployed, from 0; branch 0 begins with the student's own classifier.
    """
    if keep >= branches:
        raise ConfigError(f"one: there is no branch {keep} to keep, the {branches} are 0 to {branches - 1}")
    weight = sigmoid(0.0, 1.0, until=ramp) if ramp else constant(1.0)
    kept = keep if deploy == "branch" else None
    return NativeEnsemble(pair.task.loss, branches, kept, temperature, weight, pair.size)


def _try(branched: Model, stage: str, size: tuple[int, int]) -> None:
    """Raises ConfigError where the network cannot go on behind the branches of a stage; two pages are asked."""
    pages = torch.ones(2, 3, *size, device=next(branched.parameters()).device)
    try:
        with evaluating(branched), torch.no_grad():
            branched(pages)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"one: '{stage}' cannot be branched in this student, choose another ({reason})") from None


def _branching(student: Model, count: int) -> Branching:
    """Of the last stage."""
    return Branching(student.places.stages[-1].removeprefix("body."), count)


def _model_like(student: Model, body: nn.Module, head: nn.Module, recipe: dict[str, object]) -> Model:
    return Model(body, head, normalise=student.normalise, labels=student.labels, places=student.places, recipe=recipe)
