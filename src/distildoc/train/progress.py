"""Progress of a training for whoever waits: a bar on a terminal, a log line an epoch elsewhere."""

import logging
import time
from collections import deque
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)

RATE_WINDOW = 50  # steps that pages/s is taken over
REFRESH_HZ = 2.0  # drawing more often costs the training time


class TrainingProgress(Protocol):
    """Told what happens; must cost next to nothing in `step`."""

    def start(self, *, steps: int, done: int, epochs: int) -> None:
        """Before the first step: optimiser steps in all, and those done before a resumption."""
        ...

    def step(self, *, step: int, epoch: float, pages: int, seconds: float) -> None:
        """After an optimiser step of so many pages and seconds."""
        ...

    def loss(self, value: float) -> None:
        """The weighted loss, now and then."""
        ...

    def epoch(self, *, epoch: int, score: float | None) -> None:
        """After an epoch (from 1), with its validation score where there was one."""
        ...

    def close(self) -> None: ...


class Quiet:
    """Says nothing: for processes other than the first, and for tests."""

    def start(self, *, steps: int, done: int, epochs: int) -> None: ...
    def step(self, *, step: int, epoch: float, pages: int, seconds: float) -> None: ...
    def loss(self, value: float) -> None: ...
    def epoch(self, *, epoch: int, score: float | None) -> None: ...
    def close(self) -> None: ...


class Pace:
    """Pages a second over the latest steps; time between steps (validation, checkpoints) does not count."""

    def __init__(self) -> None:
        self._latest: deque[tuple[int, float]] = deque(maxlen=RATE_WINDOW)

    def add(self, pages: int, seconds: float) -> None:
        self._latest.append((pages, seconds))

    @property
    def pages_per_s(self) -> float:
        """0 before the first step."""
        seconds = sum(spent for _, spent in self._latest)
        return sum(pages for pages, _ in self._latest) / seconds if seconds > 0 else 0.0


class Bar:
    """A bar on a terminal: epoch, share done, pages or texts a second, time left, loss, latest score."""

    def __init__(self, console: Console, noun: str = "pages") -> None:
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn(f"{{task.fields[rate]:.0f}} {noun}/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}{task.fields[score]}"),
            console=console,
            refresh_per_second=REFRESH_HZ,
            transient=False,
        )
        self._pace = Pace()
        self._task = TaskID(0)

    def start(self, *, steps: int, done: int, epochs: int) -> None:
        self._task = self._bar.add_task(
            "", total=steps, completed=done, epoch=1, epochs=epochs, rate=0.0, loss="", score=""
        )
        self._bar.start()

    def step(self, *, step: int, epoch: float, pages: int, seconds: float) -> None:
        self._pace.add(pages, seconds)
        self._bar.update(self._task, completed=step, epoch=int(epoch) + 1, rate=self._pace.pages_per_s)

    def loss(self, value: float) -> None:
        self._bar.update(self._task, loss=f"loss {value:.4g}")

    def epoch(self, *, epoch: int, score: float | None) -> None:
        if score is not None:
            self._bar.update(self._task, score=f"  score {score:.4f}")

    def close(self) -> None:
        self._bar.stop()


class Lines:
    """A log line an epoch, at level INFO."""

    def __init__(self, noun: str = "pages") -> None:
        self._noun = noun
        self._pace = Pace()
        self._began = time.monotonic()
        self._first = self._step = self._steps = 0
        self._epochs = 0
        self._loss: float | None = None

    def start(self, *, steps: int, done: int, epochs: int) -> None:
        self._began = time.monotonic()
        self._first, self._step, self._steps, self._epochs = done, done, steps, epochs

    def step(self, *, step: int, epoch: float, pages: int, seconds: float) -> None:
        self._pace.add(pages, seconds)
        self._step = step

    def loss(self, value: float) -> None:
        self._loss = value

    def epoch(self, *, epoch: int, score: float | None) -> None:
        spent = time.monotonic() - self._began
        left = spent / max(1, self._step - self._first) * (self._steps - self._step)
        logger.info(
            "epoch %d/%d: loss %s, score %s, %.0f %s/s, about %.0f s left",
            epoch,
            self._epochs,
            "-" if self._loss is None else f"{self._loss:.4g}",
            "-" if score is None else f"{score:.4f}",
            self._pace.pages_per_s,
            self._noun,
            left,
        )

    def close(self) -> None: ...


def training_progress(noun: str = "pages") -> TrainingProgress:
    """A bar where standard error is a terminal, else a log line an epoch; the noun is what is trained on."""
    console = Console(stderr=True)
    return Bar(console, noun) if console.is_terminal else Lines(noun)
