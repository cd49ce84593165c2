"""The Fisher information of a classifier: how much each logit or feature of the teacher matters to its probabilities.

    F(z) = E_{y ~ p(.|z)} [ grad_z log p(y|z) grad_z log p(y|z)^T ]
    KL( p(.|z) || p(.|z + D) ) = 1/2 D^T F(z) D + O(|D|^3)

Everything is one value a page or one an element, in fp32. Where the teacher is certain F is 0, and so are its weights.
"""

import torch
from torch import Tensor

from distildoc.losses.precision import full, paired


def logit_weights(logits: Tensor, *, temperature: float) -> Tensor:
    """Diagonal of F for logits [B, C]: p (1 - p) / T^2, [B, C]."""
    p = _softmax(logits, temperature)
    return p * (1 - p) / temperature**2


def fisher_square(teacher: Tensor, student: Tensor, *, temperature: float) -> Tensor:
    """D^T F D of the difference D of logits [B, C], with all of F = (diag p - p p^T) / T^2, [B].

    It is the variance of D over the classes under p, so a constant added to all logits costs nothing.
    """
    teacher, student = paired(teacher, student)
    p, change = _softmax(teacher, temperature), student - teacher
    mean = (p * change).sum(-1, keepdim=True)
    return (p * (change - mean).square()).sum(-1) / temperature**2


def head_weights(logits: Tensor, weight: Tensor) -> Tensor:
    """Diagonal of F for what a linear head reads, from its logits [B, C] and weight [C, D], without autograd, [B, D].

    sum_c p_c ( W_c - sum_k p_k W_k )^2
    """
    p, rows = _softmax(logits, 1.0)[:, :, None], full(weight)[None]
    mean = (p * rows).sum(1, keepdim=True)
    return (p * (rows - mean).square()).sum(1)


def feature_weights(logits: Tensor, feature: Tensor) -> Tensor:
    """Diagonal of F for any feature [B, ...] that the logits [B, C] were computed from: C backward passes.

    Pages must not depend on each other (a network in evaluation mode). The graph is kept.
    """
    with torch.enable_grad():
        log_p = _log_softmax(logits)
    total = torch.zeros_like(feature, dtype=log_p.dtype)
    for column in range(log_p.shape[1]):
        classes = torch.full(log_p.shape[:1], column, device=log_p.device)
        p = log_p[:, column].detach().exp().reshape(-1, *[1] * (feature.ndim - 1))
        total += p * _squared_gradient(log_p, feature, classes)
    return total


def drawn_feature_weights(logits: Tensor, feature: Tensor, drawn: Tensor) -> Tensor:
    """`feature_weights` estimated from some classes a page, [B, N] drawn from p: N backward passes, without bias."""
    with torch.enable_grad():
        log_p = _log_softmax(logits)
    total = torch.zeros_like(feature, dtype=log_p.dtype)
    for classes in drawn.unbind(1):
        total += _squared_gradient(log_p, feature, classes)
    return total / drawn.shape[1]


def weighted_mse(teacher: Tensor, student: Tensor, weight: Tensor) -> Tensor:
    """Squared difference of features or logits [B, ...], each times its weight, mean over all axes but the first."""
    teacher, student = paired(teacher, student)
    if weight.shape != teacher.shape:
        raise ValueError(f"weights {tuple(weight.shape)} for features {tuple(teacher.shape)}")
    return (full(weight) * (student - teacher).square()).flatten(1).mean(1)


def _squared_gradient(log_p: Tensor, feature: Tensor, classes: Tensor) -> Tensor:
    """( d log p_y / d feature )^2 for one class y a page."""
    chosen = log_p.gather(1, classes[:, None]).sum()
    (found,) = torch.autograd.grad(chosen, feature, retain_graph=True)
    return full(found).square()


def _log_softmax(logits: Tensor) -> Tensor:
    return torch.log_softmax(full(logits), -1)


def _softmax(logits: Tensor, temperature: float) -> Tensor:
    if not temperature > 0:
        raise ValueError(f"the temperature must be positive, got {temperature}")
    return torch.softmax(full(logits) / temperature, -1)
