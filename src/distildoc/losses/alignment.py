"""How far apart gradients of the pixels are: [B, C, H, W] in, in full precision."""

import torch
from torch import Tensor

from distildoc.losses.precision import paired

TINY = 1e-30  # squared norms below count as 0 and have a gradient of 0; fp32 holds 1e-38


def gap_norm(teacher: Tensor, student: Tensor) -> Tensor:
    """|| g_s - g_t ||_2 of every page, [B]; at 0 the gradient is 0."""
    teacher, student = paired(teacher, student)
    return _root((student - teacher).flatten(1).square().sum(1))


def gap_norm_of_batch(teacher: Tensor, student: Tensor) -> Tensor:
    """sqrt( sum_pages || g_s - g_t ||^2 ), a scalar: Frobenius over the whole batch; at 0 the gradient is 0."""
    teacher, student = paired(teacher, student)
    return _root((student - teacher).square().sum())


def _root(squares: Tensor) -> Tensor:
    return torch.where(squares > TINY, squares.clamp(min=TINY).sqrt(), torch.zeros_like(squares))
