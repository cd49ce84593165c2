"""Losses between class scores that are each a sigmoid of their own, as detectors give them: no softmax.

Logits of one shape in, one value an element out, in fp32.
"""

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full, paired

ALPHA, GAMMA = 0.75, 2.0  # of the student's own varifocal loss (RT-DETR, arXiv:2304.08069; D-FINE)


def binary_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """KL divergence of two coins, p = sigmoid(logit): binary cross-entropy less the teacher's entropy, in nats.

        p_t log(p_t / p_s) + (1 - p_t) log((1 - p_t) / (1 - p_s))
    The gradient is the cross-entropy's, p_s - p_t; exactly 0 where the logits are equal.
    """
    teacher, student = paired(teacher, student)
    yes = teacher.sigmoid() * (functional.logsigmoid(teacher) - functional.logsigmoid(student))
    no = (-teacher).sigmoid() * (functional.logsigmoid(-teacher) - functional.logsigmoid(-student))
    return yes + no


def varifocal_weight(teacher: Tensor, student: Tensor) -> Tensor:
    """Which scores are worth learning: p_t + alpha p_s^gamma (1 - p_t), without gradient.

    What the teacher is sure of counts in full, and what it is sure is not there only as far as the student believes it
    is: most queries of a page are background that both know. Zhang et al. 2020, arXiv:2008.13367, where p_t is either
    the quality of a box or 0; here it is a score in between, so the two cases are mixed in its proportion.
    """
    wanted, found = full(teacher).detach().sigmoid(), full(student).detach().sigmoid()
    return wanted + ALPHA * found**GAMMA * (1 - wanted)


def logit(score: float) -> float:
    """log(p / (1 - p)) of a score, 0..1, within -20..20."""
    return float(torch.logit(torch.tensor(score, dtype=torch.float64)).clamp(-20, 20))
