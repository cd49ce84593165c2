"""How spread out the weights of a softmax are: scores [..., N] in, one value a row [...] out, in fp32."""

from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full


def row_entropy(scores: Tensor) -> Tensor:
    """Entropy of softmax(scores) along the last axis, in nats: 0 at one large score, log N at equal ones.

    Taken in log space: scores of any finite size have a finite value and gradient; at equal scores the gradient is 0.
    """
    log_p = functional.log_softmax(full(scores), -1)
    return -(log_p.exp() * log_p).sum(-1)
