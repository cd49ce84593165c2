"""What the tests of every method of detectors share: the methods, and one of them at work on a pair."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Losses, Method, Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods import METHODS, method_module, tasks_of
from distildoc.teach.check import teacher_taps
from distildoc.teach.distiller import NOBODY, Distiller, adapted
from distildoc.teach.live import Live

CLOCK = Clock(0, 10, 0.0)
LAYOUT_METHODS = [name for name in METHODS if "detection" in tasks_of(method_module(name))]
OWN_PAIR = {"roi_kd": ("r-cnn", "r-cnn")}  # methods for one kind of detectors, which takes the place of D-FINEs
every_method = pytest.mark.parametrize("name", LAYOUT_METHODS)
PairOf = Callable[..., Pair]


class Case:
    """A method at work on a pair of detectors."""

    def __init__(self, name: str, pair: Pair) -> None:
        assert pair.teacher is not None
        torch.manual_seed(0)  # of whatever the method learns
        self.method: Method = method_module(name).build(pair)
        terms = [Term(name, self.method, constant(1.0))]
        self.teacher_model = pair.teacher
        needs = self.method.needs
        self.teacher = Live(pair.teacher, taps=teacher_taps(terms), outputs=needs.teacher_outputs)
        self.distiller = Distiller(adapted(pair.student, terms), terms)

    def __call__(self, batch: Batch) -> tuple[Tensor, Losses]:
        torch.manual_seed(1)  # of denoising queries and drawn proposals
        total, losses = self.distiller(batch, self.teacher(batch), CLOCK)
        return total, losses

    def views(self, batch: Batch) -> tuple[Batch, View, View]:
        """The batch as methods see it, the student's View and the teacher's, detached."""
        teacher = self.teacher(batch) if self.method.needs.teacher else NOBODY
        with torch.no_grad():
            batch, student = self.distiller.look(batch, teacher, CLOCK)
        return batch, student, teacher


def own_pair(layout_pair_of: PairOf, name: str, teacher: str | None = None) -> Pair:
    """D-FINEs, or the detectors that a method is for; `teacher` none for a student alone."""
    student, usual = OWN_PAIR.get(name, ("d-fine", "d-fine"))
    return layout_pair_of(student, teacher or usual)


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
