"""Attacks: pixels within epsilon of a page's own, and within 0..1, that raise a loss of the page.

    FGSM    x + eps sign(dL/dx)                                 Goodfellow et al. 2015, arXiv:1412.6572, section 4
    PGD     x <- clip_eps( x + step sign(dL/dx) ), `steps` times     Madry et al. 2018, arXiv:1706.06083, section 2.1

A loss maps pixels [B, 3, H, W] to one value a page [B]; pages of a batch must not see each other in it (evaluation
mode). Epsilon is in units of the pixels, 0..1, the largest change of any of them. A transfer attack is an attack on the
loss of another model. Where a gradient is exactly 0 a pixel stays.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.core.batch import UNLABELLED
from distildoc.losses.precision import full

PageLoss = Callable[[Tensor], Tensor]


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """-log softmax(logits)[label], [B], in full precision; 0, with zero gradient, for pages without a label."""
    return functional.cross_entropy(full(logits), label, reduction="none", ignore_index=UNLABELLED)


def pixel_gradient(loss: PageLoss, pixels: Tensor) -> Tensor:
    """d loss / d pixels of every page, [B, 3, H, W], without a graph."""
    with torch.enable_grad():
        leaf = pixels.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf).sum(), leaf)
    return gradient


def clipped(moved: Tensor, pixels: Tensor, *, epsilon: float) -> Tensor:
    """The nearest pixels within epsilon of `pixels` and within 0..1."""
    return torch.min(torch.max(moved, pixels - epsilon), pixels + epsilon).clamp(0, 1)


def fgsm(loss: PageLoss, pixels: Tensor, *, epsilon: float) -> Tensor:
    """One step as far as it may go."""
    return pgd(loss, pixels, epsilon=epsilon, steps=1, step=epsilon)


def pgd(
    loss: PageLoss, pixels: Tensor, *, epsilon: float, steps: int, step: float, start: Tensor | None = None
) -> Tensor:
    """`steps` steps of size `step`, each clipped; from `start`, or from the page itself."""
    pixels = pixels.detach()
    moved = pixels if start is None else clipped(start, pixels, epsilon=epsilon)
    for _ in range(steps):
        moved = clipped(moved + step * pixel_gradient(loss, moved).sign(), pixels, epsilon=epsilon)
    return moved


def strongest(loss: PageLoss, attempts: Sequence[Tensor]) -> Tensor:
    """Of several attacks on the same pages, for every page the one with the highest loss (random restarts)."""
    with torch.no_grad():
        losses = torch.stack([loss(attempt) for attempt in attempts])
    best = losses.argmax(0)
    return torch.stack(list(attempts))[best, torch.arange(len(best), device=best.device)]
