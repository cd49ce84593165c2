"""Clock: where training stands; schedules are functions of it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """step counts optimiser steps from 0; `steps` is the total; epoch is fractional from 0."""

    step: int
    steps: int
    epoch: float

    @property
    def progress(self) -> float:
        """Share of the training done, 0..1."""
        return self.step / max(1, self.steps)


Schedule = Callable[[Clock], float]


def constant(value: float) -> Schedule:
    """The same weight at every step."""
    return lambda clock: value


def linear(start: float, end: float, *, until: float = 1.0) -> Schedule:
    """From start to end, evenly, up to a share of the training; then end.

    >>> linear(1.0, 0.0, until=0.5)(Clock(25, 100, 0.0))
    0.5
    """

    def weight(clock: Clock) -> float:
        done = min(1.0, clock.progress / until)
        return start + (end - start) * done

    return weight


def decay(start: float, *, per_epoch: float) -> Schedule:
    """start x per_epoch ** epoch, stepping at whole epochs (information flow: 100 x 0.7 ** epoch)."""
    return lambda clock: float(start * per_epoch ** int(clock.epoch))
