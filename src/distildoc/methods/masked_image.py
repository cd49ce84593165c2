"""Masked images: predict the pixels of hidden patches from those that are left, without labels and without a teacher.

    L = sum_{p in hidden} | f(x with hidden patches filled)_p - x_p | / #hidden        p a pixel and colour

f is the body, a 1 x 1 linear layer on every cell of its last map, and a shuffle of the channels into the pixels of the
cell. A patch is hidden with all its pixels; as many patches as `ratio` says, drawn anew at every step.

Paper: Xie et al. 2022, arXiv:2111.09886 (SimMIM), section 3: patches of 32 pixels, a ratio of 0.6, a linear layer as
the whole decoder, an L1 loss on hidden pixels alone. It is for pre-training a body on unlabelled pages: a run with this
term alone and `keep: last`, then another one with `start` at it.

We differ: SimMIM puts a learned token in place of a hidden patch, after the patch embedding. Here patches are hidden
in the picture itself, under a mid grey, which CNNs take as well as ViTs; the pixels predicted are those in 0..1 that
all models see. The student runs twice a step, once on the whole page for the other terms of a run, and statistics of
batch norms see both.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.draws import page_generator
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.precision import full
from distildoc.models.grids import Grid, grid_of
from distildoc.schema.errors import ConfigError

KIND: Kind = "pixels"
PAPER = Paper("Xie et al.", 2022, "2111.09886", "SimMIM: A Simple Framework for Masked Image Modeling")
TAP = "map"
GREY = 0.5  # what hidden pixels show


class MaskedImage(nn.Module):
    """The linear decoder; patches of `patch` pixels, of which the share `ratio` is hidden."""

    def __init__(self, decoder: nn.Conv2d, grid: Grid, cell: int, *, patch: int, ratio: float, seed: int) -> None:
        super().__init__()
        self.decoder, self.grid, self.cell = decoder, grid, cell
        self.patch, self.ratio, self.seed = patch, ratio, seed

    @property
    def needs(self) -> Needs:
        return Needs(student_taps=(TAP,), teacher=False, teacher_outputs=False, own_pixels=True)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        assert student.again is not None  # the distiller's student can always be run again
        hidden = self.hidden(batch, clock)
        seen = student.again(torch.where(hidden, GREY, batch.inputs))
        found = functional.pixel_shuffle(self.decoder(self.grid(seen.features[TAP])), self.cell)
        off = (full(found) - full(batch.inputs)).abs() * hidden
        return {"l1": off.sum() / (hidden.sum() * batch.inputs.shape[1])}

    def hidden(self, batch: Batch, clock: Clock) -> Tensor:
        """Which pixels are hidden, [B, 1, H, W]: a function of seed, page, view and step, not of the order of pages."""
        rows, columns = (side // self.patch for side in batch.inputs.shape[2:])
        count = min(max(1, round(self.ratio * rows * columns)), rows * columns - 1)
        mask = torch.zeros(len(batch), rows * columns, dtype=torch.bool)
        for number, key in enumerate(batch.keys):
            order = torch.randperm(rows * columns, generator=page_generator(key, seed=self.seed, step=clock.step))
            mask[number, order[:count]] = True
        grid = mask.view(-1, 1, rows, columns).to(batch.inputs.device)
        return grid.repeat_interleave(self.patch, 2).repeat_interleave(self.patch, 3)


def build(
    pair: Pair,
    *,
    patch: PositiveInt | None = None,
    ratio: Annotated[float, Field(gt=0, lt=1)] = 0.6,
    seed: NonNegativeInt = 0,
) -> Method:
    """patch: side of a hidden square in pixels, a divisor of both sides of the page; by default 32, on small pages half
    of the shorter side. ratio: share of squares hidden. seed: of the choice of squares.
    """
    grid = grid_of(pair.student, pair.size)
    if grid.texts:
        raise ConfigError("masked_image hides parts of pages, and this run reads texts; choose another method")
    height, width = pair.size
    patch = min(32, min(height, width) // 2) if patch is None else patch
    if height % patch or width % patch or height * width == patch**2:
        raise ConfigError(f"masked_image: `patch` {patch} does not cut pages of {height} x {width} pixels into squares")
    channels, rows, columns = grid.shape(pair.student_shape(TAP))
    cell = height // rows
    if (rows * cell, columns * cell) != (height, width):
        raise ConfigError(
            f"masked_image: the student's last map has {rows} x {columns} cells, which do not tile pages of {height} x "
            f"{width} pixels with squares; choose sides that the student's stride divides"
        )
    return MaskedImage(nn.Conv2d(channels, 3 * cell * cell, 1), grid, cell, patch=patch, ratio=ratio, seed=seed)
