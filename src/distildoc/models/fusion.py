"""Attention-based fusion of levels, from coarse to fine (ReviewKD, arXiv:2104.09044, section 3.3).

    m_i = 1x1(F_i);  (a, b) = sigmoid(1x1([m_i, up(r_{i+1})]));  r_i = a m_i + b up(r_{i+1});  out_i = 3x3(r_i)

The coarsest level has nothing to review: r = m. `up` repeats the nearest cell. Convolutions without bias, batch norm.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Fusion(nn.Module):
    """One level: its map and the residual of the coarser one to (map of the teacher's width, residual)."""

    def __init__(self, source: int, target: int, *, width: int, coarsest: bool) -> None:
        super().__init__()
        self.narrow = _normed(nn.Conv2d(source, width, 1, bias=False))
        self.attention = None if coarsest else nn.Sequential(nn.Conv2d(2 * width, 2, 1), nn.Sigmoid())
        self.widen = _normed(nn.Conv2d(width, target, 3, padding=1, bias=False))

    def forward(self, feature: Tensor, residual: Tensor | None) -> tuple[Tensor, Tensor]:
        fused: Tensor = self.narrow(feature)
        if self.attention is not None and residual is not None:
            residual = functional.interpolate(residual, size=fused.shape[2:], mode="nearest")
            gates = self.attention(torch.cat([fused, residual], 1))
            fused = fused * gates[:, :1] + residual * gates[:, 1:]
        return self.widen(fused), fused


class ReviewedLevels(nn.Module):
    """Maps of a pyramid, from fine to coarse, each fused with all coarser ones, in the widths of the teacher's.

    sources, targets  channels of the student's and the teacher's levels.
    """

    def __init__(self, sources: Sequence[int], targets: Sequence[int], *, width: int) -> None:
        super().__init__()
        last = len(sources) - 1
        self.levels = nn.ModuleList(
            Fusion(source, target, width=width, coarsest=index == last)
            for index, (source, target) in enumerate(zip(sources, targets, strict=True))
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        residual: Tensor | None = None
        found: list[Tensor] = []
        for level, feature in zip(reversed(self.levels), reversed(features), strict=True):
            out, residual = level(feature, residual)
            found.append(out)
        return found[::-1]


def _normed(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels))
