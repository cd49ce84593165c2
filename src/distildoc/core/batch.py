"""Batch: the tensors of some pages."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from distildoc.schema.errors import ConfigError

UNLABELLED = -1  # target of a page whose class is not known, and of padding; it adds nothing to a supervised loss
UNKNOWN, TRUE, PSEUDO = 0, 1, 2  # where the boxes of a page come from: nowhere, people, a teacher


class Key(NamedTuple):
    """Which pixels these are: the page, and which of its augmented versions (0 is the page as it is)."""

    page: str
    augmentation: int


def refuse_scores(targets: Mapping[str, Tensor], whose: str) -> None:
    """Raises ConfigError where regions are less than certain; `whose` losses know certain ones alone."""
    if "scores" in targets:
        raise ConfigError(
            f"{whose} takes every region for certain, and some regions of these pages have a score below 1; read them "
            "without `scores`, or leave it to the labels of a Faster R-CNN student (mask-rcnn-micro with masks: false)"
        )


@dataclass(frozen=True)
class Batch:
    """Some pages, ready for any model.

    inputs   what every model is called with. Pages: pixels [B, 3, H, W], RGB in 0..1, normalised for nobody: each model
             owns its normalisation. Texts: bytes [B, L] uint8, UTF-8 filled up with zeros, tokenised for nobody.
    targets  by name, each with a leading axis of B. Classification has `label` [B] int64; detection has `boxes`
             [B, M, 4] (centre x, centre y, width, height, in shares of the network input), `classes` [B, M] int64,
             both padded (class UNLABELLED), and `origin` [B] int64: UNKNOWN, TRUE or PSEUDO; `scores` [B, M] says how
             certain regions are, where not all of them are.
    keys     one a page, in order.
    """

    inputs: Tensor
    targets: Mapping[str, Tensor]
    keys: tuple[Key, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str) -> "Batch":
        targets = {name: value.to(device, non_blocking=True) for name, value in self.targets.items()}
        return replace(self, inputs=self.inputs.to(device, non_blocking=True), targets=targets)

    def select(self, rows: Tensor) -> "Batch":
        """The batch of some rows, in the order given ([N] int64)."""
        return Batch(
            self.inputs[rows],
            {name: value[rows] for name, value in self.targets.items()},
            tuple(self.keys[i] for i in rows.tolist()),
        )
