"""Classes split into soft sub-classes: what a teacher says of C x S of them, and the loss of a student of as many.

    log pi[c, s] = log softmax(z / tau)[c] + log softmax(a[c] / beta)[s]        so that sum_s pi[c, s] = p[c]

Logits z [B, C] and scores a [B, C, S] in, everything in log space and fp32.
"""

from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full, paired


def log_shares(logits: Tensor, scores: Tensor, *, temperature: float, within: float) -> Tensor:
    """log pi, [B, C, S]: each class's probability, shared among its sub-classes by their scores.

    temperature  tau, of the classes.
    within       beta, the temperature of the sub-classes inside a class: small makes it one of them, large all alike.

    Raises ValueError where one of the two is not positive.
    """
    if not (temperature > 0 and within > 0):
        raise ValueError(f"both temperatures must be positive, got {temperature} and {within}")
    classes = functional.log_softmax(full(logits) / temperature, -1)
    return classes[:, :, None] + functional.log_softmax(full(scores) / within, -1)


def cross_entropy(log_target: Tensor, student: Tensor) -> Tensor:
    """-sum exp(log_target) log softmax(student) over all axes but the first, [B], in nats.

    Both of one shape [B, C, S], the softmax over all C x S; least, and the target's entropy, where they are equal.
    """
    log_target, student = paired(log_target, student)
    return -(log_target.flatten(1).exp() * functional.log_softmax(student.flatten(1), -1)).sum(-1)


def folded(logits: Tensor) -> Tensor:
    """Logits of sub-classes [B, C, S] to those of classes [B, C], whose softmax is the sum of theirs: log sum_s exp."""
    return full(logits).logsumexp(-1)
