"""Modules that learn to denoise feature maps [B, C, H, W]; a vector is a map of one cell.

Huang et al. 2023, arXiv:2305.15712. None of them is part of a student.
"""

import itertools

import torch
from torch import Tensor, nn

MOMENTS = 1280  # rows of the table of times, more than there are times


class Norm(nn.BatchNorm2d):
    """Batch norm that also takes one value a channel, which has no variance: running statistics stand in for it."""

    def forward(self, feature: Tensor) -> Tensor:
        if self.training and feature.numel() == feature.shape[1]:
            return nn.functional.batch_norm(
                feature, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(feature)


def pointwise(source: int, target: int) -> nn.Sequential:
    """1x1 convolution and batch norm."""
    return nn.Sequential(nn.Conv2d(source, target, 1, bias=False), Norm(target))


class Bottleneck(nn.Module):
    """x + (1x1, 3x3 and 1x1 convolutions with batch norm) of x; the middle is narrower by `reduction`.

    Nothing is cut off after the sum, so that negative noise gets through.
    """

    def __init__(self, channels: int, *, reduction: int) -> None:
        super().__init__()
        narrow = max(1, channels // reduction)
        middle = nn.Conv2d(narrow, narrow, 3, padding=1, bias=False)
        self.inner = nn.Sequential(
            pointwise(channels, narrow), nn.ReLU(), middle, Norm(narrow), nn.ReLU(), pointwise(narrow, channels)
        )

    def forward(self, feature: Tensor) -> Tensor:
        found: Tensor = feature + self.inner(feature)
        return found


class NoisePredictor(nn.Module):
    """The noise in x_t, from x_t and t."""

    def __init__(self, channels: int, *, vector: bool) -> None:
        super().__init__()
        self.moments = nn.Embedding(MOMENTS, channels)
        self.body = _vector_predictor(channels) if vector else _map_predictor(channels)

    def forward(self, feature: Tensor, times: Tensor) -> Tensor:
        """[B, C, H, W] and whole times [B] to [B, C, H, W]."""
        noise: Tensor = self.body(feature + self.moments(times)[:, :, None, None])
        return noise


def _map_predictor(channels: int) -> nn.Sequential:
    layers = [Bottleneck(channels, reduction=4) for _ in range(2)]
    return nn.Sequential(*layers, pointwise(channels, channels))


def _vector_predictor(channels: int) -> nn.Sequential:
    widths = [channels, 4 * channels, channels, 4 * channels, channels]
    layers: list[nn.Module] = []
    for source, target in itertools.pairwise(widths):
        layers += [pointwise(source, target), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class NoiseAdapter(nn.Module):
    """How much of a feature to keep, in 0..1: the rest is made up with noise, to a level that is known."""

    def __init__(self, channels: int, *, vector: bool) -> None:
        super().__init__()
        wide = nn.Sequential(pointwise(channels, 2 * channels), nn.ReLU(), pointwise(2 * channels, channels), nn.ReLU())
        self.body = wide if vector else Bottleneck(channels, reduction=8)
        self.choice = nn.Linear(channels, 2)

    def forward(self, feature: Tensor) -> Tensor:
        """[B, C, H, W] to [B, 1, 1, 1]."""
        shares = torch.softmax(self.choice(self.body(feature).mean((2, 3))), -1)
        return shares[:, :1, None, None]


class LinearCode(nn.Module):
    """A linear auto-encoder place by place: `encode` to `width` channels, normalised, and `decode` back."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.encode = pointwise(channels, width)
        self.decode = nn.Conv2d(width, channels, 1)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """(code, the feature told from it)."""
        code: Tensor = self.encode(feature)
        return code, self.decode(code)
