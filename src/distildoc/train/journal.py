"""Journal: tells records, trackers and progress what happens, and reads losses from the device only now and then."""

import torch
from accelerate import Accelerator
from torch import Tensor

from distildoc.train.progress import Quiet, TrainingProgress
from distildoc.train.records import Records
from distildoc.train.state import Horizon, TrainState
from distildoc.train.steps import StepLog


class Journal:
    """Where news of a run goes; in a process other than the first it only takes part in the means.

    every  steps between two records; the last step of an epoch always gives one.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        *,
        records: Records | None = None,
        progress: TrainingProgress | None = None,
        every: int = 20,
    ) -> None:
        main = accelerator.is_main_process
        self._accelerator = accelerator
        self._records = records if main else None
        self._progress = progress if main and progress is not None else Quiet()
        self._every = every
        self._clear()

    def start(self, state: TrainState, horizon: Horizon) -> None:
        """Before the first step: drop records after the state's position, go on with trackers and bar from there."""
        if self._records is not None:
            self._records.resume(step=state.step, epoch=state.epoch)
        if self._accelerator.log_with:
            # a tracker that knows the step drops what a killed run wrote after its checkpoint
            self._accelerator.init_trackers("training", init_kwargs={"tensorboard": {"purge_step": state.step + 1}})
        self._progress.start(steps=horizon.steps, done=state.step, epochs=horizon.epochs)

    def step(self, log: StepLog, *, last: bool) -> None:
        """After each step; `last` of its epoch. All processes must call it alike."""
        for name, loss in (*log.losses.items(), ("", log.total)):
            count, total = self._sums.get(name, (0, None))
            self._sums[name] = (count + 1, loss if total is None else total + loss)
        pages = log.pages * self._accelerator.num_processes
        self._pages += pages
        self._seconds += log.seconds
        self._progress.step(step=log.step, epoch=log.epoch, pages=pages, seconds=log.seconds)
        if last or log.step % self._every == 0:
            self._write(log)

    def validation(self, state: TrainState, score: float | None) -> None:
        """After an epoch, with its validation score where there was one."""
        if score is not None:
            record = {"kind": "validation", "step": state.step, "epoch": state.epoch, "score": score}
            self._record(record)
            self._track({"validation/score": score}, state.step)
        self._progress.epoch(epoch=state.epoch, score=score)

    def end(self, state: TrainState) -> None:
        best = state.best
        self._record(
            {
                "kind": "end",
                "step": state.step,
                "epoch": state.epoch,
                "best_score": None if best is None else best.score,
                "best_epoch": None if best is None else best.epoch,
                "seconds": round(state.seconds, 3),
            }
        )

    def close(self) -> None:
        """Free the terminal and finish the trackers, also after an error."""
        self._progress.close()
        if self._accelerator.log_with:
            self._accelerator.end_training()

    def _write(self, log: StepLog) -> None:
        names = list(self._sums)
        means = torch.stack([total / count for count, total in self._sums.values() if total is not None])
        values = self._accelerator.reduce(torch.cat([means, log.grad_norm[None].to(means)]), reduction="mean").tolist()
        losses = dict(zip(names, values, strict=False))
        total = losses.pop("")
        rate = self._pages / self._seconds if self._seconds > 0 else 0.0
        self._record(
            {
                "kind": "train",
                "step": log.step,
                "epoch": round(log.epoch, 4),
                "losses": losses,
                "total": total,
                "lr": log.lr,
                "grad_norm": values[-1],
                "pages_per_s": round(rate, 2),
                "seconds": round(self._seconds, 4),
            }
        )
        tracked = {f"loss/{name}": value for name, value in losses.items()} | {"loss": total}
        self._track(tracked | {"lr": log.lr, "grad_norm": values[-1], "pages_per_s": rate}, log.step)
        self._progress.loss(total)
        self._clear()

    def _record(self, record: dict[str, object]) -> None:
        if self._records is not None:
            self._records.write(record)

    def _track(self, values: dict[str, float], step: int) -> None:
        if self._accelerator.log_with:
            self._accelerator.log(values, step=step)

    def _clear(self) -> None:
        self._sums: dict[str, tuple[int, Tensor | None]] = {}
        self._pages = 0
        self._seconds = 0.0
