"""Clock: where training stands; schedules are functions of it."""

import math
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


def sigmoid(start: float, end: float, *, until: float = 1.0) -> Schedule:
    """From near start to end, slowly, then fast, then slowly, up to a share of the training; then end.

    The share done is exp(-5 (1 - t)^2) at the share t of the ramp, 0.7 % at once (Laine and Aila 2017,
    arXiv:1610.02242, section 2.1; ONE ramps up so).
    """

    def weight(clock: Clock) -> float:
        left = 1 - min(1.0, clock.progress / until)
        return start + (end - start) * math.exp(-5 * left**2)

    return weight
