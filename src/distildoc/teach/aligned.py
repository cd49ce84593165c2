"""Aligned: a teacher whose classes come under the student's names, in the student's order.

Where several classes of the teacher become one of the student, a region's score is the largest of theirs (a detector
gives each class a score of its own), and a page's probability is their sum: log sum exp of a classifier's logits.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import pad

from distildoc.core.batch import Batch
from distildoc.core.teacher import Teacher
from distildoc.core.view import View
from distildoc.losses.precision import full
from distildoc.schema.errors import InputError, closest
from distildoc.schema.labels import LabelMap
from distildoc.teach.live import joint_fingerprint

WAY_OUT = "map them under `teacher.labels`: `rename` (teacher's class: student's class, many to one) and `drop`"


class Aligned:
    """Puts the last axis of `logits` in the order of `labels`; everything else passes through.

    label_map  the teacher's class names to the student's, many to one; classes it drops vanish. None: as they are.
    floor      logit of a student's class that no class of the teacher becomes; None refuses such a class. Methods that
               compare scores teach the student that it never occurs, so give it only where that score is not read.

    Raises InputError where a class of either side is left over, or the map names a class that the teacher lacks.
    """

    def __init__(
        self, teacher: Teacher, labels: Sequence[str], label_map: LabelMap | None = None, *, floor: float | None = None
    ) -> None:
        self._teacher = teacher
        self.labels = tuple(labels)
        self._floor = 0.0 if floor is None else floor
        self._sources = _sources(teacher.labels, self.labels, label_map or LabelMap({}), missing=floor is not None)
        self._columns = _columns(self._sources, len(teacher.labels))
        self._renamed = [[teacher.labels[i] for i in group] for group in self._sources] != [[x] for x in self.labels]

    @property
    def fingerprint(self) -> str:
        """The teacher's own while every class keeps its name: the same scores under the same names."""
        if not self._renamed:
            return self._teacher.fingerprint
        how = [self._teacher.labels, self.labels, self._sources, self._floor]
        return joint_fingerprint([self._teacher.fingerprint, json.dumps(how)])

    @property
    def live(self) -> bool:
        return self._teacher.live

    @property
    def features(self) -> tuple[str, ...]:
        return self._teacher.features

    def __call__(self, batch: Batch) -> View:
        return self._view(self._teacher(batch))

    def _view(self, view: View) -> View:
        if self.labels == self._teacher.labels and not self._renamed:
            return view
        outputs = dict(view.outputs)
        if "logits" in outputs:
            outputs["logits"] = self._mapped(outputs["logits"])
        again, probe = (run and partial(self._again, run) for run in (view.again, view.probe))
        return replace(view, outputs=outputs, again=again, probe=probe)

    def _mapped(self, logits: Tensor) -> Tensor:
        self._columns = self._columns.to(logits.device)
        if self._columns.shape[1] == 1 and all(self._sources):
            return logits[..., self._columns[:, 0]]
        known = pad(pad(full(logits), (0, 1), value=-torch.inf), (0, 1), value=self._floor)[..., self._columns]
        return known.logsumexp(-1) if logits.ndim == 2 else known.amax(-1)

    def _again(self, again: Callable[[Tensor], View], pixels: Tensor) -> View:
        return self._view(again(pixels))


def _sources(teacher: Sequence[str], student: Sequence[str], label_map: LabelMap, *, missing: bool) -> list[list[int]]:
    """The teacher's columns that become each class of the student; empty where `missing` allows it."""
    for name in (*label_map.rename, *label_map.drop):
        if name not in teacher:
            raise InputError(f"teacher.labels: the teacher has no class '{name}'; {closest(name, teacher)}")
    mapped = [label_map(name) for name in teacher]
    extra = [name for name, new in zip(teacher, mapped, strict=True) if new is not None and new not in student]
    lacking = [name for name in student if name not in mapped]
    if extra or (lacking and not missing):
        raise InputError(
            f"teacher and student label sets differ: only the student has {lacking}, only the teacher has {extra}; "
            f"{WAY_OUT}"
        )
    return [[column for column, new in enumerate(mapped) if new == name] for name in student]


def _columns(sources: Sequence[Sequence[int]], count: int) -> Tensor:
    """[C, K] int64: columns to put together, filled up with column `count`; `count` + 1 alone for an empty one."""
    width = max(1, *(len(group) for group in sources))
    groups = [list(group) or [count + 1] for group in sources]
    return torch.tensor([group + [count] * (width - len(group)) for group in groups])
