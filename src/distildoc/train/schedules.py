"""Learning-rate schedules with warm-up: pure functions of where training stands.

Each returns a factor on the base rate. In warm-up, step s of W has the factor (s + 1) / (W + 1), so no step is spent
at a rate of zero; then, with p = (s - W) / (S - W) over the S steps of the training,
    linear   1 - (1 - end) p
    cosine   end + (1 - end) (1 + cos(pi p)) / 2
Cosine: Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5 without restarts.
"""

import math
from collections.abc import Callable, Mapping

from distildoc.core.clock import Clock, Schedule
from distildoc.schema.errors import ConfigError, closest

SHAPES: Mapping[str, Callable[[float, float], float]] = {
    "constant": lambda done, end: 1.0,
    "linear": lambda done, end: 1.0 - (1.0 - end) * done,
    "cosine": lambda done, end: end + (1.0 - end) * (1.0 + math.cos(math.pi * done)) / 2.0,
}


def learning_rate(name: str, *, warmup: float = 0.0, end: float = 0.0) -> Schedule:
    """Factor on the base learning rate over the training.

    warmup  share of all steps, 0 to below 1, over which the factor rises to 1.
    end     factor that the last step approaches (not used by `constant`).
    Raises ConfigError for an unknown name or a share out of range.

    >>> half_way = learning_rate("cosine", warmup=0.5)
    >>> [round(half_way(Clock(step, 8, 0.0)), 2) for step in (0, 3, 4, 6)]
    [0.2, 0.8, 1.0, 0.5]
    """
    if name not in SHAPES:
        raise ConfigError(f"unknown learning-rate schedule '{name}'; {closest(name, SHAPES)}")
    if not 0 <= warmup < 1:
        raise ConfigError(f"warm-up is a share of the training, 0 to below 1, not {warmup}")
    if not 0 <= end <= 1:
        raise ConfigError(f"the final learning-rate factor must lie in 0..1, not {end}")
    shape = SHAPES[name]

    def factor(clock: Clock) -> float:
        warm = round(warmup * clock.steps)
        if clock.step < warm:
            return (clock.step + 1) / (warm + 1)
        return shape(min(1.0, (clock.step - warm) / max(1, clock.steps - warm)), end)

    return factor
