"""fit: steps over epochs, with validation, checkpoints, records, and going on where the last run stopped."""

import logging
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from distildoc.core.batch import Batch
from distildoc.core.teacher import Teacher
from distildoc.schema.errors import ConfigError
from distildoc.teach.ensemble import Experts
from distildoc.train.checkpoint import Checkpoints
from distildoc.train.journal import Journal
from distildoc.train.selection import Selection, judged, score_student
from distildoc.train.state import Horizon, TrainState, forget_moments
from distildoc.train.steps import steps
from distildoc.train.stop import Interrupted, Stop

logger = logging.getLogger(__name__)

ASK_EVERY = 10  # steps between two exchanges among processes on whether one was asked to stop


class Batches(Protocol):
    """What training reads: the batches of an epoch for this process, the same ones for the same number."""

    def __len__(self) -> int:
        """Batches an epoch, equal in all processes."""
        ...

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of epoch `number`, from 0, without the first `skip`."""
        ...


@dataclass(frozen=True)
class Plan:
    """What to do.

    accumulate  batches an optimiser step.
    clip_norm   largest Euclidean norm of a step's gradient; None leaves it.
    selection   None: no validation, and the last student is kept.
    reset_optimiser  epoch: its moments are forgotten where an epoch begins.
    """

    epochs: int
    accumulate: int = 1
    clip_norm: float | None = None
    selection: Selection | None = None
    reset_optimiser: Literal["never", "epoch"] = "never"


@dataclass(frozen=True)
class FitResult:
    """best_score and best_epoch (from 1) are None without validation; seconds were spent in steps, in all sessions."""

    best_score: float | None
    best_epoch: int | None
    steps: int
    seconds: float


def fit(
    state: TrainState,
    loader: Batches,
    teacher: Teacher | Experts | None,
    *,
    plan: Plan,
    checkpoints: Checkpoints,
    journal: Journal,
) -> FitResult:
    """Train to the end, from the last checkpoint where there is one; then the student in `state` is the one to keep.

    Ctrl-C and SIGTERM finish the step, write a checkpoint and raise Interrupted. Raises NonFiniteLoss, and InputError
    for a checkpoint that does not fit.
    """
    horizon = Horizon(len(loader), plan.epochs, plan.accumulate)
    _check_processes(state, horizon)
    if checkpoints.restore(state):
        logger.info("going on from step %d of %d in %s", state.step, horizon.steps, checkpoints.folder)
    try:
        journal.start(state, horizon)
        with Stop() as stop:
            run = _Run(state, plan, horizon=horizon, checkpoints=checkpoints, journal=journal, stop=stop)
            while state.epoch < plan.epochs:
                run.epoch(loader, teacher)
                run.judge()
                checkpoints.save(state)
                run.stop_if_asked(now=True)
        journal.end(state)
    finally:
        journal.close()
    _keep(state, plan, checkpoints)
    best = state.best
    return FitResult(
        best_score=None if best is None else best.score,
        best_epoch=None if best is None else best.epoch,
        steps=state.step,
        seconds=state.seconds,
    )


class _CutOff(Exception):
    """No more pages come because the user stopped the run."""


class _Run:
    """The parts of one call of `fit`."""

    def __init__(
        self,
        state: TrainState,
        plan: Plan,
        *,
        horizon: Horizon,
        checkpoints: Checkpoints,
        journal: Journal,
        stop: Stop,
    ) -> None:
        self.state = state
        self.plan = plan
        self.horizon = horizon
        self.checkpoints = checkpoints
        self.journal = journal
        self.stop = stop

    def epoch(self, loader: Batches, teacher: Teacher | Experts | None) -> None:
        """Train what is left of the epoch at hand."""
        state = self.state
        if self.plan.reset_optimiser == "epoch" and state.batch == 0:  # else the run goes on inside the epoch
            forget_moments(state)
        batches = self._whole(loader.epoch(state.epoch, skip=state.batch))
        with closing(steps(state, batches, teacher, horizon=self.horizon, clip_norm=self.plan.clip_norm)) as logs:
            try:
                for log in logs:
                    self.journal.step(log, last=state.batch >= self.horizon.batches)
                    if self.checkpoints.due(state):
                        self.checkpoints.save(state)
                    self.stop_if_asked()
            except _CutOff:
                self.stop_if_asked(now=True)
        if state.batch != self.horizon.batches:
            raise ValueError(
                f"the loader gave {state.batch} batches in an epoch and its length is {self.horizon.batches}"
            )
        state.epoch += 1
        state.batch = 0

    def _whole(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches; where Ctrl-C also ended the processes that read pages, their error becomes a stop."""
        try:
            yield from batches
        except RuntimeError as error:
            if self.stop.asked is None or self.state.accelerator.num_processes > 1:
                raise
            raise _CutOff from error

    def judge(self) -> None:
        """Validate where it is due, and keep the student on disk where it is the best so far."""
        state, selection = self.state, self.plan.selection
        score = None
        if selection is not None and selection.due(state.epoch, epochs=self.plan.epochs):
            before = state.best
            with judged(state) as student:
                score = score_student(state, student, selection)
                if state.best != before and selection.keep == "best":
                    self.checkpoints.save_best(state)
        self.journal.validation(state, score)

    def stop_if_asked(self, *, now: bool = False) -> None:
        """Save and raise Interrupted where a signal came, to this process or another."""
        state = self.state
        asked = self.stop.asked
        if state.accelerator.num_processes > 1:
            if not now and state.step % ASK_EVERY:
                return
            own = torch.tensor(float(asked or 0), device=state.accelerator.device)
            asked = int(state.accelerator.gather(own[None]).max())
        if not asked:
            return
        self.checkpoints.save(state)
        raise Interrupted(
            f"stopped by {signal.Signals(asked).name} at step {state.step} of {self.horizon.steps}; the same command "
            f"goes on from the checkpoint in {self.checkpoints.folder}",
            asked,
        )


def _check_processes(state: TrainState, horizon: Horizon) -> None:
    if state.accelerator.num_processes > 1:
        lengths = state.accelerator.gather(torch.tensor([horizon.batches], device=state.accelerator.device)).tolist()
        if len(set(lengths)) > 1:
            raise ConfigError(f"processes have unequal numbers of batches an epoch: {lengths}; shard the pages evenly")


def _keep(state: TrainState, plan: Plan, checkpoints: Checkpoints) -> None:
    if plan.selection is not None and plan.selection.keep == "best" and state.best is not None:
        checkpoints.load_best(state)
    elif state.ema is not None:
        state.ema.copy_to_module()
    state.student.eval()
