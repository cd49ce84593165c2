"""Losses are computed in fp32, whatever precision the networks run in."""

import torch
from torch import Tensor

HALVES = (torch.float16, torch.bfloat16)


def full(values: Tensor) -> Tensor:
    """Half precision becomes fp32; fp32 and fp64 stay as they are, so that gradients can be checked in fp64.

    Elementwise operations then stay in fp32 under autocast too. A loss that multiplies matrices (cosines, distances
    between pages) must also switch autocast off around the product.

    >>> full(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.float() if values.dtype in HALVES else values


def paired(teacher: Tensor, student: Tensor) -> tuple[Tensor, Tensor]:
    """Both in full precision; raises ValueError where shapes differ, which would otherwise broadcast in silence."""
    if teacher.shape != student.shape:
        raise ValueError(
            f"teacher gives {tuple(teacher.shape)} and student {tuple(student.shape)}; they must have the same shape"
        )
    return full(teacher), full(student)
