"""Where a network looks: the energy of a map's cells, whatever its channels."""

from torch import Tensor

from distildoc.losses.features import same_grid
from distildoc.losses.precision import full

SMALLEST = 1e-12  # least square of the norm of a page's attention; a page of zeros keeps an attention of 0


def attention(feature: Tensor) -> Tensor:
    """Mean over the channels of the squares of a map [B, C, H, W], in full precision, [B, 1, H, W]."""
    return full(feature).square().mean(1, keepdim=True)


def attention_transfer(teacher: Tensor, student: Tensor) -> Tensor:
    """Squared difference of two attentions [B, 1, H, W], each of norm 1 over the page, mean over the cells, [B].

    The larger one is averaged down to the grid of the smaller one first. On a grid of one cell it is 0.
    """
    teacher, student = same_grid(teacher, student)
    return (_unit(student) - _unit(teacher)).square().mean(1)


def _unit(attention: Tensor) -> Tensor:
    rows = attention.flatten(1)
    return rows / rows.square().sum(1, keepdim=True).clamp(min=SMALLEST).sqrt()
