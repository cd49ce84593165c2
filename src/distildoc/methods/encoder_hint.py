"""Encoder hint: make the student's backbone predict the features of any frozen encoder, on pages without labels.

    L = mean_pages mean_{c,h,w} ( W F_s + b - F_t )^2        W a linear projection of every cell, learned along

Paper: Sun et al. 2025, arXiv:2503.17213 (PP-DocLayout), where the backbone of the large model first learns the features
of the frozen image encoder of an OCR model on half a million pages. The encoder may be any network with a map or
tokens, its classes may be quite other ones, and it is run no further than its tap. The projection is left behind at
export.

We differ: the paper adds up where we take the mean, and does not say how maps of two sizes meet: here the larger is
averaged down to the smaller. With `normalise: cells` the encoder's features are first brought to mean 0 and variance 1
in every cell, which keeps the few huge channels that transformers have from drowning the others (Wei et al. 2022,
arXiv:2205.14141).
"""

from collections.abc import Sequence
from typing import Literal

from torch import nn
from torch.nn import functional

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.features import mse, same_grid
from distildoc.losses.precision import full
from distildoc.models.grids import Grid, grid_of

KIND: Kind = "features"
PAPER = Paper(
    "Sun et al.",
    2025,
    "2503.17213",
    "PP-DocLayout: A Unified Document Layout Detection Model to Accelerate Large-Scale Data Construction",
)
TASKS = ("classification", "detection")


class EncoderHint(nn.Module):
    """The projection, the taps and grids of student and encoder, and whether the encoder's cells are normalised."""

    def __init__(
        self, projection: nn.Conv2d, *, taps: tuple[str, str], grids: tuple[Grid, Grid], normalise: bool
    ) -> None:
        super().__init__()
        self.projection = projection
        self.taps, self.grids, self.normalise = taps, grids, normalise

    @property
    def needs(self) -> Needs:
        return Needs(student_taps=self.taps[:1], teacher_taps=self.taps[1:], teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        wanted = full(self.grids[1](one(teacher).features[self.taps[1]]))
        found = self.grids[0](student.features[self.taps[0]])
        wanted, found = same_grid(wanted, found)
        if self.normalise:
            cells = wanted.movedim(1, -1)
            wanted = functional.layer_norm(cells, cells.shape[-1:]).movedim(-1, 1)
        return {"mse": mse(wanted, self.projection(found)).mean()}


def build(
    pair: Pair,
    *,
    student_tap: str = "late",
    teacher_tap: str = "map",
    normalise: Literal["none", "cells"] = "none",
) -> Method:
    """Taps are aliases or module paths: by default the student's last backbone stage, the encoder's last map or tokens.

    normalise: the encoder's features cell by cell, or none.
    """
    encoder = pair.require_teacher("encoder_hint")
    grids = grid_of(pair.student, pair.size), grid_of(encoder, pair.size)
    source = grids[0].shape(pair.student_shape(student_tap))[0]
    target = grids[1].shape(pair.teacher_shape(teacher_tap, "encoder_hint"))[0]
    projection = nn.Conv2d(source, target, 1)
    return EncoderHint(projection, taps=(student_tap, teacher_tap), grids=grids, normalise=normalise == "cells")
