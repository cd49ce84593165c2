"""Information flow: transfer neighbourhoods at several layers, the hidden ones mostly in the critical first epochs.

    L(e) = J(last) + alpha_0 gamma^e sum_{i < last} J(i, kappa(i))                    J: the loss of `pkt`, both kernels

Paper: Passalis, Tzelepi, Tefas 2020, arXiv:2005.00727; alpha_0 = 100 and gamma = 0.7 an epoch of
50 are those of the released code, which also begins a new Adam every epoch: set `train.reset_optimiser: epoch`, or the
moments of the heavy first epochs hold back all later ones. Needs no labels. The paper's auxiliary teacher, as deep as
the student but wider, is a run of its own that learns from the real teacher by `pkt`; then it is this method's teacher.

Pairing: `identity` takes the taps in order (for an auxiliary teacher). `information` lets each hidden tap of the
student choose the teacher's hidden tap whose information about the class is nearest, and keeps last with last:

    kappa(i) = argmin_j ( I(y_i; C) - I(x_j; C) )^2

How the paper estimates I while the student changes we could not see. Here it is the quadratic mutual information of
losses.information over all labelled training pages, taken once, with the student's weights as the run begins.
Where we differ: e is a share of the run, so that a run of 15 epochs goes through the same critical period as one of 50.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper, Seen
from distildoc.core.model import Model, evaluating
from distildoc.core.pair import Pair
from distildoc.core.taps import Taps
from distildoc.core.view import View, one
from distildoc.losses.information import class_sums, quadratic_information
from distildoc.losses.probabilistic import KernelName, neighbourhoods
from distildoc.models.grids import Grid, grid_of
from distildoc.schema.errors import ConfigError

KIND: Kind = "relations"
PAPER = Paper(
    "Passalis, Tzelepi, Tefas",
    2020,
    "2005.00727",
    "Heterogeneous Knowledge Distillation using Information Flow Modeling",
)
TAPS = ("early", "middle", "penultimate")

Factor = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class CriticalPeriod:
    """The weight of the hidden layers over time.

    epochs  how many steps of decay the whole run has; None: one at every epoch of the run.
    """

    alpha: float
    gamma: float
    epochs: int | None

    def __call__(self, clock: Clock) -> float:
        passed = clock.epoch if self.epochs is None else clock.progress * self.epochs
        return float(self.alpha * self.gamma ** int(passed))


@dataclass(frozen=True)
class Flow:
    """taps    (student's, teacher's), in pairs, the last one last.
    grids  of student and teacher, in that order.
    """

    taps: tuple[tuple[str, str], ...]
    grids: tuple[Grid, Grid]
    kernel: KernelName
    weight: CriticalPeriod

    @property
    def needs(self) -> Needs:
        student, teacher = (tuple(dict.fromkeys(pair[side] for pair in self.taps)) for side in (0, 1))
        return Needs(student_taps=student, teacher_taps=teacher, teacher_outputs=False, couples_batch=True)

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        *hidden, last = (self._divergence(pair, student, one(teacher)) for pair in self.taps)
        if not hidden:
            return {"last": last}
        return {"last": last, "hidden": self.weight(clock) * torch.stack(hidden).sum()}

    def _divergence(self, pair: tuple[str, str], student: View, teacher: View) -> Tensor:
        found, wanted = self.grids[0](student.features[pair[0]]), self.grids[1](teacher.features[pair[1]])
        return neighbourhoods(wanted, found, kernel=self.kernel).mean()


@dataclass
class FlowByInformation:
    """A Flow whose hidden taps are paired once the pages have been surveyed.

    flow        its pairs are those of the taps in order until then.
    student     whose information is measured, with the weights it begins with.
    candidates  the teacher's hidden taps.
    """

    flow: Flow
    student: Model
    candidates: tuple[str, ...]
    classes: int
    information: dict[str, tuple[float, ...]] = field(default_factory=dict)  # of hidden taps, by side, once surveyed

    @property
    def needs(self) -> Needs:
        return replace(self.flow.needs, teacher_taps=(*self.candidates, self.flow.taps[-1][1]))

    def adapt(self, student: Model) -> Model:
        self.student = student
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        return self.flow(student, teacher, batch, clock)

    def survey(self, pages: Iterable[Seen]) -> None:
        """Measure both sides in one pass, and pair."""
        *hidden, last = self.flow.taps
        own = tuple(pair[0] for pair in hidden)
        sides = [_Sums(own, self.flow.grids[0], self.classes), _Sums(self.candidates, self.flow.grids[1], self.classes)]
        with evaluating(self.student), Taps(self.student, own, outputs=False) as look, torch.no_grad():
            for batch, teacher in pages:
                for side, view in zip(sides, (look(batch.inputs), one(teacher)), strict=True):
                    side.add(view, batch.targets["label"])
        found = [side.information() for side in sides]
        self.information = dict(zip(("student", "teacher"), found, strict=True))
        pairs = tuple(zip(own, (self.candidates[j] for j in nearest(*found)), strict=True))
        self.flow = replace(self.flow, taps=(*pairs, last))


class _Sums:
    """Sums by class of some taps, over the pages so far."""

    def __init__(self, taps: tuple[str, ...], grid: Grid, classes: int) -> None:
        self.taps, self.grid, self.classes = taps, grid, classes
        self.sums: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, view: View, label: Tensor) -> None:
        for tap in self.taps:
            new = class_sums(self.grid(view.features[tap]), label, self.classes)
            old = self.sums.get(tap)
            self.sums[tap] = new if old is None else (old[0] + new[0], old[1] + new[1])

    def information(self) -> tuple[float, ...]:
        """Of every tap; raises ConfigError where pages of fewer than two classes came."""
        if any((counts > 0).sum() < 2 for _, counts in self.sums.values()):
            raise ConfigError("flow: `pairing: information` wants labelled pages of two classes; set it to identity")
        return tuple(float(quadratic_information(*self.sums[tap])) for tap in self.taps)


def nearest(student: Sequence[float], teacher: Sequence[float]) -> list[int]:
    """kappa: for every value of the student the place of the nearest of the teacher, the first of equals."""
    return [min(range(len(teacher)), key=lambda j: (value - teacher[j]) ** 2) for value in student]


def build(
    pair: Pair,
    *,
    student_taps: tuple[str, ...] = TAPS,
    teacher_taps: tuple[str, ...] = TAPS,
    pairing: Literal["identity", "information"] = "identity",
    kernel: KernelName = "both",
    alpha: NonNegativeFloat = 100.0,
    gamma: Factor = 0.7,
    over: PositiveInt | None = 50,
) -> Method:
    """Taps from the first layer to the last, aliases or paths; `pairing: information` may have more teacher taps.

    alpha: weight of the hidden layers at the first step. gamma: what is left of it after each of `over` even parts of
    the run (null: after each epoch); 1 keeps it constant. kernel: cosine, student_t, or the sum of both losses.
    """
    teacher = pair.require_teacher("flow")
    if not student_taps or not teacher_taps or (pairing == "identity" and len(student_taps) != len(teacher_taps)):
        raise ConfigError(
            f"flow: taps {list(student_taps)} and {list(teacher_taps)} are no pairs; name as many of either, or let "
            "`pairing: information` choose"
        )
    if pairing == "information" and min(len(student_taps), len(teacher_taps)) < 2:
        raise ConfigError("flow: `pairing: information` pairs hidden layers; name at least two taps of either side")
    grids = grid_of(pair.student, pair.size), grid_of(teacher, pair.size)
    for own in student_taps:
        grids[0].shape(pair.student_shape(own))
    for theirs in teacher_taps:
        grids[1].shape(pair.teacher_shape(theirs, "flow"))
    schedule = CriticalPeriod(alpha, gamma, over)
    if pairing == "identity":
        return Flow(tuple(zip(student_taps, teacher_taps, strict=True)), grids, kernel, schedule)
    hidden = tuple((tap, teacher_taps[0]) for tap in student_taps[:-1])
    flow = Flow((*hidden, (student_taps[-1], teacher_taps[-1])), grids, kernel, schedule)
    return FlowByInformation(flow, pair.student, teacher_taps[:-1], len(pair.task.labels))
