"""Distiller: the student, whatever the methods learn beside it, and the weighted sum of their losses.

    total = sum_terms weight_term(clock) x sum of the term's losses

The teacher is no part of it: its View comes in with the batch.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Finishes, Inside, Losses, Paces, Relabels, Term
from distildoc.core.model import Model, evaluating
from distildoc.core.taps import Taps
from distildoc.core.view import View
from distildoc.losses.precision import full
from distildoc.schema.errors import ConfigError
from distildoc.teach.known import Known

NOBODY = View({})  # the teacher of a run without one


def adapted(student: Model, terms: Sequence[Term]) -> Model:
    """The student as the methods want it (SimKD gives it another head), term by term.

    Raises ConfigError where two of them put in a head: the first one's would be lost, and its loss with it; and where
    one replaces parts of the student that an earlier one holds.
    """
    owner: str | None = None
    for term in terms:
        changed = term.method.adapt(student)
        if changed.head is not student.head:
            if owner is not None:
                raise ConfigError(f"terms '{owner}' and '{term.name}' both put a head into the student; keep one")
            owner = term.name
        student = changed
    parts = set(student.modules())
    for term in terms:
        if isinstance(term.method, Inside) and not parts.issuperset(term.method.inside):
            raise ConfigError(f"a later term replaces what term '{term.name}' put into the student; name it last")
    return student


class Distiller(nn.Module):
    """Student and methods as one thing to train.

    student  already `adapted`; it is what is exported.
    terms    named differently; a method that learns something is an nn.Module and is trained along.
    known    the student's classes that the teacher knows; None: all.

    Taps stay attached to the student from here on; raises TapError for one that is not there.
    """

    def __init__(self, student: Model, terms: Sequence[Term], *, known: Known | None = None) -> None:
        super().__init__()
        names = [term.name for term in terms]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"a distiller needs terms with names of their own, got {names}; set `name`")
        self.student = student
        self.terms = tuple(terms)
        self.known = known
        self.learned = nn.ModuleDict({t.name: t.method for t in terms if isinstance(t.method, nn.Module)})
        needs = [term.method.needs for term in terms]
        self._taps = Taps(student, sorted({tap for need in needs for tap in need.student_taps}))
        self._pixel_gradients = any(need.input_gradients for need in needs)

    def forward(self, batch: Batch, teacher: View | Sequence[View] | None, clock: Clock) -> tuple[Tensor, Losses]:
        """(total, losses): the scalar to differentiate, and every term's losses as they are, without weights.

        A loss is called after its term, or TERM/LOSS where a term has several. A term whose weight is exactly 0 is
        left out, so that the run is the same bit for bit as one without it.
        """
        batch, student = self.look(batch, teacher, clock)
        total: Tensor | None = None
        losses: dict[str, Tensor] = {}
        for term in self.terms:
            weight = term.weight(clock)
            if weight == 0:
                continue
            found = self.compare(term, student, NOBODY if teacher is None else teacher, batch, clock=clock)
            part = weight * reduce(add, (full(loss) for loss in found.values()))
            total = part if total is None else total + part
            losses |= {term.name if len(found) == 1 else f"{term.name}/{name}": loss for name, loss in found.items()}
        return self._nothing() if total is None else total, losses

    def compare(
        self, term: Term, student: View, teacher: View | Sequence[View], batch: Batch, *, clock: Clock
    ) -> Losses:
        """What a term finds; one that reads what the teacher says sees the classes that the teacher knows."""
        if self.known is not None and term.method.needs.reads_outputs:
            student, batch = self.known.view(student), self.known.batch(batch)
        return term.method(student, teacher, batch, clock)

    def look(self, batch: Batch, teacher: View | Sequence[View] | None, clock: Clock) -> tuple[Batch, View]:
        """The batch as methods see it, and the student's View.

        Its pixels track gradients where a method needs that; its targets are those that terms with a weight put there.
        """
        for term in self.terms:
            if isinstance(term.method, Paces):
                term.method.pace(clock)
            if teacher is not None and isinstance(term.method, Relabels) and term.weight(clock) != 0:
                batch = term.method.relabel(batch, teacher)
        if self._pixel_gradients:
            batch = replace(batch, inputs=batch.inputs.detach().requires_grad_())
        view = self._run(batch.inputs, batch.targets)
        return batch, replace(view, again=self._run, probe=self._probe)

    def release(self) -> Model:
        """The student as it is saved and exported: without taps, and as the terms finish it, the last one first."""
        self._taps.remove()
        student = self.student
        for term in reversed(self.terms):
            if isinstance(term.method, Finishes):
                student = term.method.finish(student)
        return student

    def _run(self, pixels: Tensor, targets: Mapping[str, Tensor] | None = None) -> View:
        """The student's View; fused attention has no second derivative, so pixel gradients want the plain one."""
        with sdpa_kernel(SDPBackend.MATH) if self._pixel_gradients else nullcontext():
            return self._taps(pixels, targets)

    def _probe(self, pixels: Tensor) -> View:
        """The student's View in evaluation mode."""
        with evaluating(self.student):
            return self._taps(pixels)

    def _nothing(self) -> Tensor:
        """0, with a gradient of 0: every term is switched off at this step."""
        return torch.stack([p.sum() for p in self.parameters() if p.requires_grad]).sum() * 0.0
