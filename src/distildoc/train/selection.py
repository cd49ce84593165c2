"""Which student to keep: the one that scores best on validation pages, or the last one."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from accelerate.utils import broadcast_object_list
from torch import nn

from distildoc.core.model import Model
from distildoc.schema.errors import ConfigError
from distildoc.train.state import Best, TrainState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """How a student is judged while it trains.

    validate  the task's primary score of a student on validation pages, higher is better; it gets the EMA weights
              where there is an EMA, in eval mode and without gradients, in the first process only.
    every     epochs between two validations; the last epoch always has one.
    keep      the student that training ends with: "best" by score (the earlier of two equal ones) or "last".
    """

    validate: Callable[[Model], float]
    every: int = 1
    keep: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"validation needs at least one epoch in between, got every={self.every}")

    def due(self, epoch: int, *, epochs: int) -> bool:
        """Whether to validate after an epoch, counted from 1."""
        return epoch % self.every == 0 or epoch == epochs


@contextmanager
def judged(state: TrainState) -> Iterator[Model]:
    """The student as it would be kept: EMA weights, eval mode; afterwards every module's mode and weights return."""
    student = state.student
    modes = [(module, module.training) for module in student.modules()]
    with ExitStack() as stack:
        if state.ema is not None:
            stack.enter_context(state.ema.applied())
        student.eval()
        try:
            yield student
        finally:
            for module, mode in modes:
                module.training = mode


def score_student(state: TrainState, student: nn.Module, selection: Selection) -> float:
    """The validation score, the same in every process; moves `state.best` where it is better."""
    score = [0.0]
    if state.accelerator.is_main_process:
        with torch.no_grad():
            score = [float(selection.validate(state.student))]
    if state.accelerator.num_processes > 1:
        broadcast_object_list(score)
    if not math.isfinite(score[0]):
        logger.warning("epoch %d: the validation score is %s, so it counts as no improvement", state.epoch, score[0])
    elif state.best is None or score[0] > state.best.score:
        state.best = Best(score[0], state.epoch, state.step)
    return score[0]
