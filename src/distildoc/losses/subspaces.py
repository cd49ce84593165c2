"""Directions in a space of embeddings: those that a classifier does not see, those of most variance, random turns.

All in fp64; directions are columns of [D, S].
"""

import torch
from torch import Tensor
from torch.nn import functional

ZERO = 1e-10  # what is below this share of the whole is rounding: fp64 has 16 digits


def unseen_by(weight: Tensor) -> Tensor:
    """Projector P [D, D] onto what a softmax over W h [C, D] does not depend on: I - W0^+ W0, W0 = W - mean_c W.

    The softmax sees differences of logits alone, so the mean over the classes is taken out first.
    """
    centred = weight.double() - weight.double().mean(0)
    _, sizes, rows = torch.linalg.svd(centred, full_matrices=False)
    seen: Tensor = rows[sizes > ZERO * sizes.max()]
    whole = torch.eye(weight.shape[1], dtype=torch.float64, device=weight.device)
    return whole - seen.T @ seen


def principal(covariance: Tensor, count: int, *, least: float) -> Tensor:
    """The `count` unit directions of most variance, most first; zeros where fewer have a variance above `least`.

    Of a direction and its opposite, the one whose largest entry is positive, so that two machines agree.
    """
    values, vectors = torch.linalg.eigh(covariance.double())
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    directions = vectors * largest.sign() * (values > least)
    return functional.pad(directions, (0, count - directions.shape[1]))


def rotation(size: int, *, generator: torch.Generator) -> Tensor:
    """A random orthogonal matrix [size, size], all equally likely (Haar)."""
    q, r = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64, generator=generator))
    turn: Tensor = q * r.diagonal().sign()
    return turn
