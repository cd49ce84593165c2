"""Known: the classes of a student that its teacher knows, where the student learns more of them.

Terms that compare what the teacher says then see a student of these classes alone: a softmax is taken among them, and
pages of other classes are without a label.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from distildoc.core.batch import UNLABELLED, Batch
from distildoc.core.view import View


@dataclass(frozen=True)
class Known:
    """columns  of the student's logits, in their order."""

    columns: tuple[int, ...]

    def labels(self, student: Sequence[str]) -> tuple[str, ...]:
        """The names of the classes that are known."""
        return tuple(student[column] for column in self.columns)

    def view(self, student: View) -> View:
        """What the student says of these classes."""
        outputs = {**student.outputs, "logits": student.outputs["logits"][:, list(self.columns)]}
        again, probe = (run and partial(self._again, run) for run in (student.again, student.probe))
        return replace(student, outputs=outputs, again=again, probe=probe)

    def batch(self, batch: Batch) -> Batch:
        """Labels counted among these classes."""
        label = batch.targets["label"]
        renumbered = torch.full_like(label, UNLABELLED)
        for new, old in enumerate(self.columns):
            renumbered[label == old] = new
        return replace(batch, targets={**batch.targets, "label": renumbered})

    def _again(self, again: Callable[[Tensor], View], pixels: Tensor) -> View:
        return self.view(again(pixels))
