"""Pair: what a method may know of student and teacher before the first step."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from distildoc.core.model import Model
from distildoc.core.taps import shapes
from distildoc.core.task import Task
from distildoc.schema.errors import ConfigError


@dataclass(frozen=True)
class Pair:
    """The two models of a distillation, for building methods.

    size     (height, width) in pixels of the batches to come.
    teacher  None where there is none, or where it has no features of its own (an ensemble).
             Its labels may stand in another order than the student's; Views are already aligned.
    thresholds  score by class, in the student's names, above which the teacher's regions are kept; chosen on
                validation pages; empty for classifiers.
    experts  how many teachers are kept apart; 1 where there is one, or an average of several.
    """

    student: Model
    teacher: Model | None
    task: Task
    size: tuple[int, int]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    experts: int = 1

    def require_teacher(self, method: str) -> Model:
        """The teacher's model; raises ConfigError for a method that needs its modules."""
        if self.teacher is None:
            raise ConfigError(
                f"method '{method}' reads features or the head of one teacher model; name a single `teacher` with a run"
            )
        return self.teacher

    def require_experts(self, method: str) -> int:
        """How many teachers are kept apart; raises ConfigError for a method that would learn from an average."""
        if self.teacher is None and self.experts == 1:
            raise ConfigError(
                f"method '{method}' learns from several teachers one by one; name their runs under `teacher.runs`, "
                "from the smallest to the largest, and set `teacher.experts: true`"
            )
        return self.experts

    def student_shape(self, tap: str) -> torch.Size:
        """Shape without the batch axis."""
        return shapes(self.student, [tap], self.size)[tap]

    def teacher_shape(self, tap: str, method: str) -> torch.Size:
        """Shape without the batch axis."""
        return shapes(self.require_teacher(method), [tap], self.size)[tap]
