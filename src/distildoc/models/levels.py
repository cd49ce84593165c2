"""Levels: the maps of a network from fine to coarse, and which of a student's meet which of a teacher's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.taps import shapes
from distildoc.core.view import View
from distildoc.models.grids import Grid, grid_of
from distildoc.schema.errors import ConfigError

MOST = 4  # blocks of a classifier that stand for a pyramid: as many as a ResNet has stages


@dataclass(frozen=True)
class Level:
    """Where a map comes out: the tap, how it is laid out on the page, and (channels, rows, columns)."""

    tap: str
    grid: Grid
    shape: tuple[int, int, int]

    def of(self, view: View) -> Tensor:
        """The level's map [B, C, h, w] in a View that carries the tap."""
        return self.grid(view.features[self.tap])

    @property
    def channels(self) -> int:
        return self.shape[0]


def pyramid(model: Model, size: tuple[int, int], *, method: str, whose: str) -> tuple[Level, ...]:
    """The levels of a detector that sees pages of (height, width) pixels; ConfigError for a model that has none."""
    if not model.places.levels:
        raise ConfigError(
            f"method '{method}' compares the pyramids of detectors, and the {whose} ({type(model.body).__name__}) has "
            "none; it is for the task detection"
        )
    return _levels(model, [f"level:{index}" for index in range(len(model.places.levels))], size)


def paired_pyramids(pair: Pair, method: str) -> tuple[tuple[Level, Level], ...]:
    """(student's, teacher's) levels to compare, from fine to coarse; see `nearest`."""
    student = pyramid(pair.student, pair.size, method=method, whose="student")
    teacher = pyramid(pair.require_teacher(method), pair.size, method=method, whose="teacher")
    return nearest(student, teacher)


def paired_stages(pair: Pair, method: str) -> tuple[tuple[Level, Level], ...]:
    """(student's, teacher's) levels of two detectors; otherwise blocks at equal shares of the depth, at most four."""
    teacher = pair.require_teacher(method)
    if pair.student.places.levels and teacher.places.levels:
        return paired_pyramids(pair, method)
    depths = len(pair.student.places.stages), len(teacher.places.stages)
    count = min(MOST, *depths)
    taps = [[f"stage:{round((step + 1) * depth / count) - 1}" for step in range(count)] for depth in depths]
    found = _levels(pair.student, taps[0], pair.size), _levels(teacher, taps[1], pair.size)
    return tuple(zip(*found, strict=True))


def nearest(student: Sequence[Level], teacher: Sequence[Level]) -> tuple[tuple[Level, Level], ...]:
    """Levels in order where both have as many; otherwise those that are each other's nearest in size.

    With strides 8, 16, 32 against 16, 32 the first level is compared with none.
    """
    if len(student) == len(teacher):
        return tuple(zip(student, teacher, strict=True))
    ours = [_closest(level, teacher) for level in student]
    theirs = [_closest(level, student) for level in teacher]
    return tuple((student[i], teacher[j]) for i, j in enumerate(ours) if theirs[j] == i)


def _closest(level: Level, others: Sequence[Level]) -> int:
    """Index of the level whose number of cells is nearest, by ratio; the finer of two that are equally near."""
    return min(range(len(others)), key=lambda index: abs(math.log(_cells(others[index]) / _cells(level))))


def _cells(level: Level) -> int:
    return level.shape[1] * level.shape[2]


def _levels(model: Model, taps: Sequence[str], size: tuple[int, int]) -> tuple[Level, ...]:
    grid = grid_of(model, size)
    found = shapes(model, taps, size)
    return tuple(Level(tap, grid, grid.shape(found[tap])) for tap in taps)
