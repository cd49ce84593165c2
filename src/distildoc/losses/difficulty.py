"""How hard a page is for a classifier: logits [B, C] in, one value a page [B] out, in fp32; a larger one is harder."""

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full


def surprise(logits: Tensor, label: Tensor) -> Tensor:
    """-log p of the true class, in nats, [B].

    `label` [B] int64. Where it is negative (unknown) the entropy stands in: it is what -log p of the true class comes
    to on average, for a classifier whose probabilities are right.
    """
    chosen = functional.log_softmax(full(logits), -1).gather(1, label.clamp(min=0)[:, None]).squeeze(1)
    return torch.where(label >= 0, -chosen, entropy(logits))


def entropy(logits: Tensor) -> Tensor:
    """Of the class probabilities, in nats, 0 to log C, [B]."""
    log_p = functional.log_softmax(full(logits), -1)
    return -(log_p.exp() * log_p).sum(-1)


def closeness(logits: Tensor) -> Tensor:
    """Probability of the second class minus that of the first, -1 to 0, [B]: the margin, where 0 is hardest."""
    first, second = functional.softmax(full(logits), -1).topk(2, -1).values.unbind(-1)
    return second - first
