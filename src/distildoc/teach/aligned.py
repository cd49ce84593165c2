"""Aligned: a teacher whose classes come in the student's order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.teacher import Teacher
from distildoc.core.view import View
from distildoc.schema.labels import align


class Aligned:
    """Puts the last axis of `logits` in the order of `labels`; everything else passes through.

    Raises InputError where the two label sets differ.
    """

    def __init__(self, teacher: Teacher, labels: Sequence[str]) -> None:
        self._teacher = teacher
        self.labels = tuple(labels)
        columns = align(teacher.labels, self.labels)
        self._columns = None if columns == list(range(len(columns))) else torch.tensor(columns)

    @property
    def fingerprint(self) -> str:
        """The teacher's own: the same scores under the same names."""
        return self._teacher.fingerprint

    @property
    def live(self) -> bool:
        return self._teacher.live

    @property
    def features(self) -> tuple[str, ...]:
        return self._teacher.features

    def __call__(self, batch: Batch) -> View:
        return self._view(self._teacher(batch))

    def _view(self, view: View) -> View:
        if self._columns is None:
            return view
        outputs = dict(view.outputs)
        if "logits" in outputs:
            self._columns = self._columns.to(outputs["logits"].device)
            outputs["logits"] = outputs["logits"][..., self._columns]
        return replace(view, outputs=outputs, again=None if view.again is None else partial(self._again, view.again))

    def _again(self, again: Callable[[Tensor], View], pixels: Tensor) -> View:
        return self._view(again(pixels))
