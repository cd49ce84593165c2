"""What the tests of every method share: the methods of classifiers, variants of some, and one of them at work."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Losses, Method, Term
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.teacher import Teacher
from distildoc.core.texts import Tokenise
from distildoc.core.view import View
from distildoc.methods import METHODS, method_module, tasks_of
from distildoc.schema.texts import TextInput, text_page
from distildoc.teach.check import check_terms, teacher_taps
from distildoc.teach.distiller import NOBODY, Distiller, adapted
from distildoc.teach.ensemble import Experts
from distildoc.teach.live import Live
from distildoc.teach.survey import survey

CLOCK = Clock(0, 10, 0.0)
SURVEYED = 12  # pages that a method which surveys them sees; those of the fixture `batch` are among them
OWN_STUDENT = {"gates": "hme"}  # methods for one kind of student, which takes the place of CNN and ViT
PairOf = Callable[..., Pair]


@dataclass(frozen=True)
class Setup:
    """A method with settings, taught by so many experts."""

    method: str
    settings: Mapping[str, object] = field(default_factory=dict)
    experts: int = 1


SETTINGS: dict[str, dict[str, object]] = {
    "bss": {
        "base": "teacher"
    },  # networks with random weights are both right on no page, and it would have nothing to do
}
VARIANTS: dict[str, Setup] = {
    "ces_kd, two experts": Setup("ces_kd", {"t_full": 0.0}, experts=2),
    "dgkd, one of two experts": Setup("dgkd", experts=2),
    "dgkd, two experts": Setup("dgkd", {"drop": 0}, experts=2),
    "kdiga, noise": Setup("kdiga", {"variant": "noise"}),
    "kdiga, adversarial": Setup("kdiga", {"variant": "adversarial", "steps": 2}),
    "kdiga, released": Setup("kdiga", {"norm": "released"}),
    "flow, information": Setup("flow", {"pairing": "information"}),
    "gradient_features, deeper": Setup("gradient_features", {"student_tap": "middle", "teacher_tap": "middle"}),
}
CLASSIFIERS_METHODS = [name for name in METHODS if "classification" in tasks_of(method_module(name))]
CASES = [*CLASSIFIERS_METHODS, *VARIANTS]
every_case = pytest.mark.parametrize("name", CASES)


def setup_of(name: str) -> Setup:
    """Of a method in the table, or of a variant."""
    return VARIANTS.get(name, Setup(name, SETTINGS.get(name, {})))


def with_own_student(pair_of: PairOf, name: str) -> PairOf:
    """Pairs as they are asked for, with the student that a method is for where there is only one kind."""
    own = OWN_STUDENT.get(name)
    return pair_of if own is None else lambda student, teacher: pair_of(own, teacher)


class Case:
    """A method at work on a pair of models."""

    def __init__(self, name: str, pair: Pair) -> None:
        assert pair.teacher is not None
        torch.manual_seed(0)  # of whatever the method learns
        setup = setup_of(name)
        self.pair = pair
        self.teacher_models = [pair.teacher, *(another(pair.teacher, seed) for seed in range(1, setup.experts))]
        if setup.experts > 1:
            pair = replace(pair, teacher=None, experts=setup.experts)
        self.method: Method = method_module(setup.method).build(pair, **setup.settings)
        terms = [Term(name, self.method, constant(1.0))]
        taps, outputs = teacher_taps(terms), self.method.needs.teacher_outputs
        live = [Live(model, taps=taps, outputs=outputs) for model in self.teacher_models]
        self.teacher: Teacher | Experts = live[0] if len(live) == 1 else Experts(live)
        self.distiller = Distiller(adapted(pair.student, terms), terms)
        survey(self.distiller, self.teacher, lambda: [surveyed_pages(pair)], count=SURVEYED)

    def __call__(self, batch: Batch) -> tuple[Tensor, Losses]:
        total, losses = self.distiller(batch, self.teacher(batch), CLOCK)
        return total, losses

    def views(self, batch: Batch) -> tuple[View, View | tuple[View, ...]]:
        """Student's and teacher's, detached."""
        with torch.no_grad():
            student = self.distiller.look(batch, None, CLOCK)[1]
        return student, self.teacher(batch) if self.method.needs.teacher else NOBODY


def another(teacher: Model, seed: int) -> Model:
    """A teacher of the same make that says something else."""
    model = deepcopy(teacher)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.head.parameters():
            weight.copy_(torch.randn(weight.shape, generator=draw))
    return model


def surveyed_pages(pair: Pair) -> Batch:
    """All of them have a label; texts where the student reads texts."""
    reads_texts = isinstance(pair.student.normalise, Tokenise)
    pixels = torch.rand(SURVEYED, 3, *pair.size, generator=torch.Generator().manual_seed(1))
    label = torch.arange(SURVEYED) % len(pair.task.labels)
    inputs = texts(SURVEYED) if reads_texts else pixels
    return Batch(inputs, {"label": label}, tuple(Key(f"page{i}", 0) for i in range(SURVEYED)))


def texts(count: int) -> Tensor:
    """[count, 24] bytes of short texts, all different."""
    made = TextInput(24)
    some = (f"{'so ' * (number % 4)}and text {number * 37}" for number in range(count))
    return torch.from_numpy(np.stack([made.of(text_page(one, id=one, source="", number=1)) for one in some]))


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def check_works(case: Case, batch: Batch) -> None:
    """Finite scalars, a gradient into the student and none into the teacher."""
    check_terms(case.distiller, case.teacher, sample=batch)
    total, losses = case(batch)
    total.backward()
    assert losses
    assert all(loss.shape == () and torch.isfinite(loss) for loss in losses.values())
    found = gradients(case.distiller.student)
    assert sum(gradient.abs().sum() for gradient in found.values()) > 0
    assert all(torch.isfinite(gradient).all() for gradient in found.values())
    assert not any(gradients(model) for model in case.teacher_models)
    taught_by = {module for model in case.teacher_models for module in model.modules()}
    assert taught_by.isdisjoint(case.distiller.modules()), "what is trained along must not hold the teacher"
