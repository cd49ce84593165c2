"""Diffusion of features: noise is added by a schedule, and taken away again step by step, without a draw.

    x_t = sqrt(A_t) x_0 + sqrt(1 - A_t) e        A_t = prod_{s <= t} (1 - beta_s), beta even from 1e-4 to 2e-2

Ho et al. 2020, arXiv:2006.11239, sections 2 and 4 (the schedule); Song et al. 2021, arXiv:2010.02502, section 4.1 with
eta = 0 (the steps back). All of it is in full precision.
"""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from distildoc.losses.precision import full

TIMES = 1000  # steps from a feature to noise
BETAS = (1e-4, 2e-2)  # share of the variance that is new noise, at the first and at the last of them

Predict = Callable[[Tensor, Tensor], Tensor]  # x [B, ...] and its times [B] to the noise in it [B, ...]


def kept(times: int = TIMES) -> Tensor:
    """A_t for every time, [T]: the share of the variance of x_t that is the feature's; falls from near 1 to near 0."""
    return (1 - torch.linspace(*BETAS, times, dtype=torch.float64)).cumprod(0).float()


def noised(clean: Tensor, noise: Tensor, share: Tensor) -> Tensor:
    """x_t of features [B, ...] whose A_t are `share` [B]."""
    share = share.view(-1, *[1] * (clean.ndim - 1))
    return share.sqrt() * full(clean) + (1 - share).sqrt() * full(noise)


def step_back(noisy: Tensor, noise: Tensor, *, now: float, then: float) -> tuple[Tensor, Tensor]:
    """(x at the earlier time, x_0), where `noise` is what x holds; `now` and `then` are A at the two times, above 0."""
    clean = (full(noisy) - (1 - now) ** 0.5 * full(noise)) / now**0.5
    return then**0.5 * clean + (1 - then) ** 0.5 * full(noise), clean


def denoised(noisy: Tensor, predict: Predict, shares: Tensor, *, times: Sequence[int]) -> list[Tensor]:
    """The x_0 that is told after each of the falling `times`, of which x is taken to be at the first.

    shares  A_t of every time, as from `kept`. The last of the list is what is left when all the noise is gone.
    """
    if not times or any(late <= early for late, early in itertools.pairwise(times)):
        raise ValueError(f"times of denoising must fall, and there must be one; got {list(times)}")
    found = []
    for time, then in zip(times, [*times[1:], None], strict=True):
        noise = predict(noisy, torch.full((len(noisy),), time, device=noisy.device))
        left = 1.0 if then is None else shares[then].item()
        noisy, clean = step_back(noisy, noise, now=shares[time].item(), then=left)
        found.append(clean)
    return found
