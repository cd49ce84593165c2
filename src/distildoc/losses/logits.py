"""Losses between class scores: logits [B, C] in, one value a page [B] out, in fp32.

Softmax is always taken in log space, so scores of any finite size and equal scores have finite gradients.
"""

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full, paired


def kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Kullback-Leibler divergence KL(p || q) of log-probabilities [B, C], in nats; 0 where they are equal."""
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def kl_from_logits(teacher: Tensor, student: Tensor, *, temperature: float) -> Tensor:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)), [B].

    The factor T^2 is in here: it keeps the gradient's size when T changes (Hinton et al. 2015, section 2).
    Raises ValueError for a temperature that is not positive or shapes that differ.
    """
    teacher, student = paired(teacher, student)
    return temperature**2 * kl(_log_softmax(teacher, temperature), _log_softmax(student, temperature))


def mse(teacher: Tensor, student: Tensor) -> Tensor:
    """Squared difference of the logits, mean over the classes, [B]."""
    teacher, student = paired(teacher, student)
    return (student - teacher).square().mean(-1)


def nkd_target(teacher: Tensor, student: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of the true class weighted by the teacher's belief in it: -p_t[c] log p_s[c], [B].

    Temperature 1. `label` [B] int64; 0 for pages whose label is negative (unknown).
    """
    teacher, student = paired(teacher, student)
    column = label.clamp(min=0)[:, None]
    belief = functional.softmax(teacher, -1).gather(1, column)
    loss = -(belief * functional.log_softmax(student, -1).gather(1, column)).squeeze(1)
    return _where_known(loss, label)


def nkd_non_target(teacher: Tensor, student: Tensor, label: Tensor, *, temperature: float) -> Tensor:
    """T^2 times the cross-entropy of the other classes, renormalised without the true one, [B].

        -T^2 sum_{k != c} softmax(t_{\\c} / T)[k] log softmax(s_{\\c} / T)[k]
    The true class's column is left out before the softmax, so nothing is masked with large numbers. Unlike a
    divergence it is not 0 at agreement but T^2 times the teacher's entropy. 0 where the label is negative, and
    for two classes. Raises ValueError for a temperature that is not positive.
    """
    teacher, student = paired(teacher, student)
    label_or_0 = label.clamp(min=0)
    log_p = _log_softmax(_without(teacher, label_or_0), temperature)
    log_q = _log_softmax(_without(student, label_or_0), temperature)
    return _where_known(-(temperature**2) * (log_p.exp() * log_q).sum(-1), label)


def _without(logits: Tensor, label: Tensor) -> Tensor:
    """[B, C] to [B, C - 1]: every row without the column of its label."""
    columns = torch.arange(logits.shape[1] - 1, device=logits.device)[None]
    return logits.gather(1, columns + (columns >= label[:, None]))


def _where_known(loss: Tensor, label: Tensor) -> Tensor:
    return torch.where(label >= 0, loss, torch.zeros_like(loss))


def _log_softmax(logits: Tensor, temperature: float) -> Tensor:
    if not temperature > 0:
        raise ValueError(f"the temperature must be positive, got {temperature}")
    return functional.log_softmax(full(logits) / temperature, -1)
