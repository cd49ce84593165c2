"""Sub-classes that the embeddings of a teacher suggest: for each class, directions in which its pages differ."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full
from distildoc.losses.subspaces import ZERO, principal, rotation


class Moments:
    """Number, sum and second moment of the embeddings of each class, fp64 on the CPU."""

    def __init__(self, classes: int, width: int) -> None:
        self.count = torch.zeros(classes, dtype=torch.float64)
        self.sum = torch.zeros(classes, width, dtype=torch.float64)
        self.second = torch.zeros(classes, width, width, dtype=torch.float64)

    def add(self, embeddings: Tensor, classes: Tensor) -> None:
        """Embeddings [B, D] of pages of some classes [B]; those of a negative class are left out."""
        known = classes >= 0
        embeddings = full(embeddings[known]).double().cpu()
        member = functional.one_hot(classes[known].cpu(), len(self.count)).double()
        self.count += member.sum(0)
        self.sum += member.T @ embeddings
        self.second += torch.einsum("bc,bd,be->cde", member, embeddings, embeddings)

    def mean_and_second(self) -> tuple[Tensor, Tensor]:
        """[C, D] and [C, D, D]; 0 for a class without pages."""
        count = self.count.clamp(min=1)[:, None]
        return self.sum / count, self.second / count[:, :, None]


@dataclass(frozen=True)
class Subclasses:
    """Where each class has its mean [C, D], and its S directions [C, D, S], divided by their deviation."""

    mean: Tensor
    directions: Tensor

    def scores(self, embeddings: Tensor) -> Tensor:
        """a [B, C, S] of embeddings [B, D], fp32."""
        mean, directions = self.mean.to(embeddings.device), self.directions.to(embeddings.device)
        with torch.autocast(embeddings.device.type, enabled=False):
            return torch.einsum("bcd,cds->bcs", full(embeddings)[:, None] - mean, directions)


def subclasses_of(
    moments: Moments, unseen: Tensor, count: int, *, random: bool, generator: torch.Generator
) -> Subclasses:
    """The directions of every class inside the subspace of the projector `unseen` [D, D]."""
    means, seconds = moments.mean_and_second()
    found = []
    for mean, second in zip(means, seconds, strict=True):
        covariance = unseen @ (second - mean[:, None] * mean) @ unseen
        spread, least = covariance, ZERO * second.trace()
        if random:
            columns = unseen @ torch.randn(len(mean), count, dtype=torch.float64, generator=generator)
            spread = columns @ columns.T
            least = ZERO * spread.trace()
        turned = principal(spread, count, least=float(least)) @ rotation(count, generator=generator)
        variance = (turned * (covariance @ turned)).sum(0).mean()
        found.append(turned / variance.sqrt() if variance > ZERO * second.trace() else torch.zeros_like(turned))
    return Subclasses(means.float(), torch.stack(found).float())
