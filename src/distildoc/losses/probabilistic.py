"""Losses between the pages of a batch: who is near whom, as probabilities; widths of the two sides may differ.

k_c(a, b) = (cos(a, b) + 1) / 2        k_t(a, b) = 1 / (1 + ||a - b||)        p_{j|i} = k(i, j) / sum_j k(i, j)
"""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full

SMALLEST_NORM = 1e-6  # a feature shorter than this has no direction: its cosines are below their true size
SMALLEST = 1e-12  # probability before the logarithm; that of an even row of a million pages is 1e-6

Kernel = Callable[[Tensor], Tensor]
KernelName = Literal["cosine", "student_t", "both"]


def cosine_kernel(features: Tensor) -> Tensor:
    """Of rows [B, D], all with all, [B, B], 0..1; 1/2 with a row of zeros. Blind to rotation and to scale."""
    with torch.autocast(features.device.type, enabled=False):
        unit = functional.normalize(full(features), dim=1, eps=SMALLEST_NORM)
        return (unit @ unit.T + 1).clamp(min=0) / 2


def student_t_kernel(features: Tensor) -> Tensor:
    """Of rows [B, D], all with all, [B, B], 0..1: the heavy tail of one degree of freedom, on the plain distance.

    Distances are taken row by row, not from products, so that near rows are told apart; equal rows have no gradient.
    """
    with torch.autocast(features.device.type, enabled=False):
        rows = full(features)
        return 1 / (1 + torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist"))


KERNELS: Mapping[KernelName, tuple[Kernel, ...]] = {
    "cosine": (cosine_kernel,),
    "student_t": (student_t_kernel,),
    "both": (cosine_kernel, student_t_kernel),
}


def conditional(kernel: Tensor) -> Tensor:
    """p_{j|i} of a kernel [B, B]: every row divided by its sum; the page itself counts as one of its neighbours."""
    return kernel / kernel.sum(1, keepdim=True)


def jeffreys(teacher: Tensor, student: Tensor) -> Tensor:
    """(p_t - p_s) (log p_t - log p_s) of probabilities [B, B], unreduced: 0 only where they are equal, else above."""
    p, q = teacher.clamp(min=SMALLEST), student.clamp(min=SMALLEST)
    return (p - q) * (p.log() - q.log())


def neighbourhoods(teacher: Tensor, student: Tensor, *, kernel: KernelName) -> Tensor:
    """Jeffreys divergence of the neighbours of features [B, ...], flattened, [B, B]; summed over the kernels."""
    rows = teacher.flatten(1), student.flatten(1)
    one, *others = (jeffreys(*(conditional(near(side)) for side in rows)) for near in KERNELS[kernel])
    return sum(others, start=one)
