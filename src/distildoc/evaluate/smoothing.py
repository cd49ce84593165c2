"""Randomised smoothing: a classifier voted on under Gaussian noise, and the radius within which its vote cannot change.

    g(x) = argmax_c P( f(x + N(0, sigma^2)) = c )        radius = sigma Phi^-1(p)

p is a lower bound of the winner's probability that holds with confidence 1 - alpha (Clopper and Pearson). The winner is
chosen on draws of its own; where p is not above 1/2 the smoothed classifier abstains. No change of the page of smaller
L2 norm changes g. Paper: Cohen, Rosenfeld, Kolter 2019, arXiv:1902.02918, section 3 and algorithm CERTIFY.

We differ: one plane of noise for all colours of grey pages, so that the norm is that of the grey page in 0..1.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from distildoc.core.batch import Batch, Key
from distildoc.core.draws import page_generator
from distildoc.core.model import Model, evaluating

ABSTAINED = -1


@dataclass(frozen=True)
class Smoothing:
    """sigma   standard deviation of the noise, in units of pixels, 0..1.
    choose     draws that choose the winner; `draws` more bound its probability.
    alpha      chance at most that a page's radius is too large.
    grey       one plane of noise for all colours.
    batch      noisy pages in a forward; no part of the result but for rounding.
    """

    sigma: float
    choose: int = 100
    draws: int = 1000
    alpha: float = 0.001
    seed: int = 0
    grey: bool = True
    batch: int = 256


@dataclass(frozen=True)
class Certified:
    """winner [N] int64, ABSTAINED where there is none; radius [N] in units of pixels, L2; right [N] bool."""

    winner: Tensor
    radius: Tensor
    right: Tensor

    def within(self, radius: float) -> Tensor:
        """Whether the page is named right by the vote, whatever moves it by less than the radius, [N] bool."""
        return self.right & (self.radius >= radius)


def certify(model: Model, batches: Iterable[Batch], smoothing: Smoothing) -> Certified:
    """Winner and radius of every page."""
    found, truth = [], []
    with evaluating(model), torch.no_grad():
        for batch in batches:
            for pixels, key in zip(batch.inputs, batch.keys, strict=True):
                found.append(_certify(model, pixels, key, smoothing))
            truth.append(batch.targets["label"])
    winner = torch.tensor([one for one, _ in found])
    radius = torch.tensor([one for _, one in found], dtype=torch.float64)
    return Certified(winner, radius, (winner == torch.cat(truth).cpu()) & (winner != ABSTAINED))


def radius_of(hits: int, draws: int, *, sigma: float, alpha: float) -> float:
    """L2 radius for a winner that `hits` of `draws` draws voted for; 0 where its probability may be 1/2 or less."""
    low = float(stats.beta.ppf(alpha, hits, draws - hits + 1)) if hits else 0.0
    return sigma * float(stats.norm.ppf(low)) if low > 0.5 else 0.0


def _certify(model: Model, pixels: Tensor, key: Key, smoothing: Smoothing) -> tuple[int, float]:
    generator = page_generator(key, seed=smoothing.seed, step=0)
    winner = int(_votes(model, pixels, smoothing.choose, smoothing, generator).argmax())
    hits = int(_votes(model, pixels, smoothing.draws, smoothing, generator)[winner])
    radius = radius_of(hits, smoothing.draws, sigma=smoothing.sigma, alpha=smoothing.alpha)
    return (winner, radius) if radius > 0 else (ABSTAINED, 0.0)


def _votes(model: Model, pixels: Tensor, draws: int, smoothing: Smoothing, generator: torch.Generator) -> Tensor:
    """[C] counts of the classes named under noise."""
    counts = torch.zeros(len(model.labels), dtype=torch.int64)
    planes = 1 if smoothing.grey else pixels.shape[0]
    for first in range(0, draws, smoothing.batch):
        size = (min(smoothing.batch, draws - first), planes, *pixels.shape[1:])
        noise = smoothing.sigma * torch.randn(size, generator=generator)
        named = model(pixels + noise.to(pixels))["logits"].argmax(-1).cpu()
        counts += torch.bincount(named, minlength=len(counts))
    return counts
