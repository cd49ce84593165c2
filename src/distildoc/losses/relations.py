"""Losses between relations: of the pages of a batch to each other, and of the layers of a network.

Relations of pages are compared element by element, [B, B] or [B, B, B], so that a method takes the one mean. Products
of matrices run in full precision, also under autocast. Rows that are equal have a distance of 0 without a gradient.
"""

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full, paired

CLOSEST = 1e-12  # least square of a distance or norm that is divided by or rooted; far below any feature's rounding


def rkd_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """Huber loss of the distances between pages, each in units of their mean, [B, B]; 0 on the diagonal.

    huber( d_ij(t) / mu(t), d_ij(s) / mu(s) ), mu the mean of the distances that are not 0; widths of teacher [B, D]
    and student [B, E] may differ. Huber with threshold 1 (Park et al. 2019, arXiv:1904.05068).
    """
    return functional.smooth_l1_loss(_distances(student), _distances(teacher), reduction="none")


def rkd_angle(teacher: Tensor, student: Tensor) -> Tensor:
    """Huber loss of the cosines at page i of the triangle with pages j and k, [B, B, B] over (i, j, k).

    Teacher [B, D], student [B, E]; 0 where two of the three pages are one. Memory grows with B^2 (B + D).
    """
    return functional.smooth_l1_loss(_cosines(student), _cosines(teacher), reduction="none")


def similarity(teacher: Tensor, student: Tensor) -> Tensor:
    """Squared difference of how alike pages are, [B, B]: rows of A A^T, each of norm 1, A the flattened features.

    Their mean is (1 / B^2) || . ||_F^2 (Tung and Mori 2019, arXiv:1907.09682). Rows of zeros stay 0.
    """
    return (_alike(student) - _alike(teacher)).square()


def flow(first: Tensor, second: Tensor) -> Tensor:
    """How two layers of one network go together, [B, C, D] of maps [B, C, h, w] and [B, D, h, w] on one grid.

    G = F_1 F_2^T / (h w) (Yim et al. 2017, section 3.1).
    """
    if first.shape[2:] != second.shape[2:]:
        raise ValueError(f"maps of {tuple(first.shape)} and {tuple(second.shape)} are on two grids; pool one of them")
    cells = first.shape[2] * first.shape[3]
    with torch.autocast(first.device.type, enabled=False):
        return torch.einsum("bcn,bdn->bcd", full(first).flatten(2), full(second).flatten(2)) / cells


def flow_difference(teacher: Tensor, student: Tensor) -> Tensor:
    """Squared difference of two flows [B, C, D], mean over their entries, [B]."""
    teacher, student = paired(teacher, student)
    return (student - teacher).square().mean((1, 2))


def _differences(features: Tensor) -> Tensor:
    """f_j - f_i at (i, j), [B, B, D]; differences are taken before squares, so near pages lose no digits."""
    features = full(features)
    return features[None] - features[:, None]


def _distances(features: Tensor) -> Tensor:
    squares = _differences(features).square().sum(-1)
    distances = squares.clamp(min=CLOSEST).sqrt() * (squares > 0)
    mean = distances.sum() / (squares > 0).sum().clamp(min=1)
    return distances / mean.clamp(min=CLOSEST)


def _cosines(features: Tensor) -> Tensor:
    directions = _differences(features)
    directions = directions / directions.square().sum(-1, keepdim=True).clamp(min=CLOSEST).sqrt()
    with torch.autocast(features.device.type, enabled=False):
        return directions @ directions.transpose(1, 2)


def _alike(features: Tensor) -> Tensor:
    rows = full(features).flatten(1)
    with torch.autocast(features.device.type, enabled=False):
        products = rows @ rows.T
    return products / products.square().sum(1, keepdim=True).clamp(min=CLOSEST).sqrt()
