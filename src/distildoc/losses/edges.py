"""Distributions over where the edges of a box lie, moved from one frame of reference into another.

A D-FINE head (Peng et al. 2024, arXiv:2410.13842) says for each edge of a query's reference box how far outward it
lies: a distribution over bins at offsets W(n), in units of the box's width or height over `scale`. So bin n puts an
edge at

    x(n) = e + s W(n) / scale        e, s: edge and size of the reference box, x counted outward

and two heads with other reference boxes, bins or scales name the same place by other offsets. Solving for the place:

    o(n) = W_t(n) (s_t / s_s) (scale_s / scale_t) + (e_t - e_s) scale_s / s_s

is where bin n of the teacher lies among the student's bins. There its mass is split between the two bins beside it, in
inverse proportion to the distance: D-FINE's own two-bin targets, applied to each bin instead of to one true edge. The
split keeps the mean, so the expected edge stays where it was, and bins that coincide keep their mass as it is.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full

SMALLEST = 1e-6  # width or height of a reference box divided by, in shares of the page


class Frame(NamedTuple):
    """What the bins of one head mean: offsets W(n) [N], ascending, and the scale they are divided by."""

    offsets: Tensor
    scale: float


def moved_offsets(teacher: Tensor, student: Tensor, *, frames: tuple[Frame, Frame]) -> Tensor:
    """Where the teacher's bins lie in the student's frame, [..., 4, N_t]: left, top, right, bottom, outward.

    teacher, student  reference boxes [..., 4] cxcywh, of one shape.
    frames            the teacher's and the student's.
    """
    (offsets, scale), (_, own_scale) = frames
    teacher, student = full(teacher), full(student)
    size, own_size = (boxes[..., 2:].clamp(min=SMALLEST) for boxes in (teacher, student))
    shift, growth = teacher[..., :2] - student[..., :2], (size - own_size) / 2
    outward = torch.cat([growth - shift, growth + shift], -1)  # how far the teacher's edges lie outside the student's
    own_size, size = torch.cat([own_size, own_size], -1), torch.cat([size, size], -1)
    ratio = size / own_size * (own_scale / scale)
    return offsets.to(ratio) * ratio[..., None] + (outward * own_scale / own_size)[..., None]


def rebinned(mass: Tensor, places: Tensor, bins: Tensor) -> tuple[Tensor, Tensor]:
    """(mass on the bins [..., M], share of it that was within them [...]).

    mass    [..., N], probabilities at `places` [..., N].
    bins    [M] ascending, M >= 2; what lies beyond the first or last goes there.
    """
    bins = bins.to(places)
    within = places.clamp(bins[0], bins[-1])
    right = torch.bucketize(within, bins).clamp(min=1)
    share = (within - bins[right - 1]) / (bins[right] - bins[right - 1])
    moved = mass.new_zeros((*mass.shape[:-1], len(bins)))
    moved = moved.scatter_add(-1, right, mass * share).scatter_add(-1, right - 1, mass * (1 - share))
    return moved, (mass * (within == places)).sum(-1)


def tempered_kl(mass: Tensor, logits: Tensor, *, temperature: float) -> Tensor:
    """T^2 KL( mass^(1/T) / Z || softmax(logits / T) ), [...]; both with bins [..., M] on the last axis.

    With mass = softmax(z) this is localisation distillation, KL of softmax(z / T) (Zheng et al. 2021,
    arXiv:2102.12252). Bins without mass stay without. Raises ValueError for a temperature that is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"the temperature must be positive, got {temperature}")
    soft = full(mass) ** (1 / temperature)
    soft = soft / soft.sum(-1, keepdim=True)
    known = torch.where(soft > 0, soft, torch.ones_like(soft)).log()
    return temperature**2 * (soft * (known - functional.log_softmax(full(logits) / temperature, -1))).sum(-1)
