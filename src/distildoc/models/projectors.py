"""Projectors: a student's features into the space of a teacher's, as part of the exported student.

Each is described by plain JSON, so that a saved student can be rebuilt: `kind`, `source` and `target` widths, `last`.
"""

from collections.abc import Mapping
from typing import Literal

from torch import nn

from distildoc.schema.errors import InputError, closest

Last = Literal["linear", "relu"]
WIDEST = 1 << 16  # channels; a description that asks for more is not one of ours


def identity_projector(source: int, target: int) -> nn.Module:
    """The features as they are; raises ValueError where the widths differ."""
    if source != target:
        raise ValueError(f"without a projector both widths must be equal, got {source} and {target}")
    return nn.Identity()


def mlp_projector(source: int, target: int, *, last: Last = "linear") -> nn.Sequential:
    """[B, source] to [B, target] through two hidden layers of half the source's width.

    last  "linear" reaches any feature; "relu", as in DistilDoc's code, only those that are not negative.
    """
    half = max(1, source // 2)
    layers = [nn.Linear(source, half), nn.ReLU(), nn.Linear(half, half), nn.ReLU(), nn.Linear(half, target)]
    return nn.Sequential(*layers, *_last(last))


def cnn_projector(source: int, target: int, *, factor: int = 2, last: Last = "linear") -> nn.Sequential:
    """[B, source, H, W] to [B, target, H, W] through a bottleneck of target / factor channels.

    1x1, 3x3 and 1x1 convolutions, each with batch norm (Chen et al. 2022, arXiv:2203.14001, section 3).
    """
    narrow = max(1, target // factor)
    return nn.Sequential(
        *_convolution(source, narrow, 1),
        nn.ReLU(),
        *_convolution(narrow, narrow, 3),
        nn.ReLU(),
        *_convolution(narrow, target, 1),
        *_last(last),
    )


def point_projector(source: int, target: int) -> nn.Sequential:
    """[B, source, H, W] to [B, target, H, W] place by place: a 1x1 convolution with batch norm."""
    return nn.Sequential(*_convolution(source, target, 1))


def build_projector(spec: Mapping[str, object]) -> nn.Module:
    """The projector that a description names; raises InputError for one that cannot be ours."""
    kind = spec.get("kind")
    source, target = width(spec, "source"), width(spec, "target")
    last = spec.get("last", "linear")
    if last != "linear" and last != "relu":
        raise InputError(f"projector: `last` must be linear or relu, got {last!r}; the file is damaged")
    if kind == "none":
        return identity_projector(source, target)
    if kind == "mlp":
        return mlp_projector(source, target, last=last)
    if kind == "cnn":
        return cnn_projector(source, target, factor=width(spec, "factor"), last=last)
    if kind == "point":
        return point_projector(source, target)
    raise InputError(f"unknown projector {kind!r}; {closest(str(kind), ['none', 'mlp', 'cnn', 'point'])}")


def width(spec: Mapping[str, object], key: str) -> int:
    """A number of channels in a description; raises InputError where it is none."""
    value = spec.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= WIDEST:
        raise InputError(f"model description: `{key}` must be a whole number from 1 to {WIDEST}, got {value!r}")
    return value


def _convolution(source: int, target: int, size: int) -> list[nn.Module]:
    return [nn.Conv2d(source, target, size, padding=size // 2, bias=False), nn.BatchNorm2d(target)]


def _last(last: Last) -> list[nn.Module]:
    return [nn.ReLU()] if last == "relu" else []
