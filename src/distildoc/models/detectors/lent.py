"""Heads lent to another detector: a copy with the classes in the borrower's order, and where the maps it reads are."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from distildoc.core.model import Model
from distildoc.models.detectors.classes import reordered_decoder
from distildoc.models.detectors.detr import DecoderHead
from distildoc.models.detectors.projected import ProjectedLevels
from distildoc.models.detectors.rcnn.head import RcnnHead
from distildoc.schema.errors import ConfigError

Spec = dict[str, object]


@dataclass(frozen=True)
class Lent:
    """A copy of a head on the CPU, its description, and the lender's taps of the maps that it reads, fine to coarse."""

    head: nn.Module
    spec: Spec
    taps: tuple[str, ...]


def lent_head(model: Model, columns: Sequence[int]) -> Lent:
    """The head of a detector with class i being its class columns[i]; of a head behind projectors, the inner one.

    Raises ConfigError for a model whose head is no detector's.
    """
    head, spec = bare_head(model), cast(Spec, model.recipe["head"])
    taps = tuple(f"level:{index}" for index in range(len(model.places.levels)))
    if isinstance(model.head, ProjectedLevels):
        taps = tuple(f"head.levels.{index}" for index in range(len(model.head.levels)))
        spec = cast(Spec, spec["head"])
    if isinstance(head, DecoderHead):
        return Lent(reordered_decoder(head, columns), {**spec, "classes": len(columns)}, taps)
    if isinstance(head, RcnnHead):
        return Lent(reordered_rcnn(head, columns), {**spec, "classes": len(columns)}, taps)
    raise ConfigError(f"the head of {type(model.body).__name__} is {type(head).__name__}, not a detector's")


def bare_head(model: Model) -> nn.Module:
    """The head of a detector; of one behind projectors, the inner one."""
    return model.head.head if isinstance(model.head, ProjectedLevels) else model.head


def reordered_rcnn(head: RcnnHead, columns: Sequence[int]) -> RcnnHead:
    """A copy on the CPU whose class i is class columns[i]; background stays last."""
    copied = deepcopy(head).cpu()
    copied.spec = replace(head.spec, classes=len(columns))
    rows = torch.as_tensor(list(columns))
    _keep_rows(copied.box.classes, torch.cat([rows, torch.tensor([head.spec.classes])]))
    _keep_rows(copied.box.offsets, (4 * rows[:, None] + torch.arange(4)).flatten())
    if copied.mask is not None:
        _keep_rows(copied.mask.masks, rows)
    return copied


def _keep_rows(layer: nn.Linear | nn.Conv2d, rows: torch.Tensor) -> None:
    assert layer.bias is not None
    layer.weight = nn.Parameter(layer.weight.detach()[rows].clone())
    layer.bias = nn.Parameter(layer.bias.detach()[rows].clone())
    if isinstance(layer, nn.Linear):
        layer.out_features = len(rows)
    else:
        layer.out_channels = len(rows)
