"""FitNet hints: make a hidden map of the student predict one of the teacher.

    L = mean_pages mean_{c,h,w} ( r(F_s) - F_t )^2        r = 1x1 convolution and batch norm, trained along

Paper: Romero et al. 2015, arXiv:1412.6550, section 2.2; in one stage, as in DistilDoc (arXiv:2406.08226, `hint
[middle]`), which adds cross-entropy with weight 1: add the term `supervised`. Any depth of any two networks will do:
tokens are laid out on the page without their leading ones, and the larger of two maps is averaged down to the smaller
(adaptive average pooling). `regressor: relu` ends in a ReLU as DistilDoc's does, which cannot reach the negative
values of a transformer's features; `linear`, the default, leaves it out. Between detectors `level:N` is a map of the
pyramid, and `levels` for both taps compares all of them: in order where both have as many, else those that are each
other's nearest in size, each with a regressor of its own; the loss is then their mean.

The loss has the scale of the teacher's features, often far above a cross-entropy: lower the term's weight. The
regressor is left behind at export. Maps of one cell get no batch norm (a batch of one page would have no variance).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.features import mse, same_grid
from distildoc.models.grids import Grid, grid_of
from distildoc.models.levels import paired_pyramids
from distildoc.schema.errors import ConfigError

KIND: Kind = "features"
PAPER = Paper("Romero et al.", 2015, "1412.6550", "FitNets: Hints for Thin Deep Nets")
TASKS = ("classification", "detection")

Shape = tuple[int, int, int]
LEVELS = "levels"  # in place of a tap: every level of the pyramid


class Hint(nn.Module):
    """The regressor, and where student and teacher are compared.

    taps   of student and teacher.
    grids  of student and teacher, in that order.
    """

    def __init__(self, regressor: nn.Module, *, taps: tuple[str, str], grids: tuple[Grid, Grid]) -> None:
        super().__init__()
        self.regressor = regressor
        self.taps = taps
        self.grids = grids

    @property
    def needs(self) -> Needs:
        return Needs(student_taps=self.taps[:1], teacher_taps=self.taps[1:], teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        wanted = self.grids[1](one(teacher).features[self.taps[1]])
        found = self.grids[0](student.features[self.taps[0]])
        wanted, found = same_grid(wanted, found)
        return {"mse": mse(wanted, self.regressor(found)).mean()}


class Hints(nn.Module):
    """Several hints at once, one a level; their mean is the loss."""

    def __init__(self, hints: Sequence[Hint]) -> None:
        super().__init__()
        self.hints = nn.ModuleList(hints)
        student, teacher = (tuple(hint.taps[side] for hint in hints) for side in (0, 1))
        self.needs = Needs(student_taps=student, teacher_taps=teacher, teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        losses = [hint(student, teacher, batch, clock)["mse"] for hint in self.hints]
        return {"mse": torch.stack(losses).mean()}


def build(
    pair: Pair,
    *,
    student_tap: str = "middle",
    teacher_tap: str = "middle",
    regressor: Literal["linear", "relu"] = "linear",
) -> Method:
    """Taps: aliases (early, middle, late, map, stage:N, depth:F, level:N) or module paths; TapError names the closest.

    levels, for both: all levels of a detector's pyramid.
    """
    teacher = pair.require_teacher("fitnet")
    if LEVELS in (student_tap, teacher_tap):
        if student_tap != teacher_tap:
            raise ConfigError(
                f"fitnet compares all levels with all levels, and its taps are '{student_tap}' and '{teacher_tap}'; "
                f"set both to {LEVELS}, or name one level each, as level:0"
            )
        pairs = paired_pyramids(pair, "fitnet")
        return Hints([_hint((s.tap, t.tap), (s.grid, t.grid), (s.shape, t.shape), regressor) for s, t in pairs])
    grids = grid_of(pair.student, pair.size), grid_of(teacher, pair.size)
    shapes = grids[0].shape(pair.student_shape(student_tap)), grids[1].shape(pair.teacher_shape(teacher_tap, "fitnet"))
    return _hint((student_tap, teacher_tap), grids, shapes, regressor)


def _hint(
    taps: tuple[str, str], grids: tuple[Grid, Grid], shapes: tuple[Shape, Shape], regressor: Literal["linear", "relu"]
) -> Hint:
    """One hint between maps of these (channels, rows, columns)."""
    (source, *student_cells), (target, *teacher_cells) = shapes
    one_cell = all(min(cells) == 1 for cells in zip(student_cells, teacher_cells, strict=True))
    layers: list[nn.Module] = [nn.Conv2d(source, target, 1, bias=one_cell)]
    if not one_cell:
        layers.append(nn.BatchNorm2d(target))
    if regressor == "relu":
        layers.append(nn.ReLU())
    return Hint(nn.Sequential(*layers), taps=taps, grids=grids)
