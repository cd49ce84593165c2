"""Branches: several copies of the last stage of a network with a classifier each, on one trunk.

The branches lie one after the other along the pages, so that whatever a network does behind its last stage (a norm, a
pooling) is done for all of them: a body with m branches gives [m B, D], the pages of the first branch first.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from distildoc.schema.errors import ConfigError


class BranchedStage(nn.Module):
    """Runs every branch on the same input; [B, ...] to [m B, ...]."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, *inputs: Tensor, **others: object) -> Tensor:
        found = [branch(*inputs, **others) for branch in self.branches]
        if not all(isinstance(one, Tensor) for one in found):
            raise ConfigError(
                f"the last stage {type(self.branches[0]).__name__} gives {type(found[0]).__name__}, so it "
                "cannot be branched; choose a ResNet or a ViT"
            )
        return torch.cat(found)


class Gate(nn.Module):
    """How far each branch is trusted, before the softmax: linear, batch norm, ReLU; [B, D] to [B, m].

    A batch of one page, which has no variance, is normalised as in evaluation.
    """

    def __init__(self, features: int, branches: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, branches)
        self.norm = nn.BatchNorm1d(branches)

    def forward(self, features: Tensor) -> Tensor:
        norm, several = self.norm, self.training and len(features) > 1
        found = functional.batch_norm(
            self.linear(features),
            norm.running_mean,
            norm.running_var,
            norm.weight,
            norm.bias,
            training=several,
            momentum=norm.momentum or 0.0,
        )
        return functional.relu(found)


class Classifiers(nn.ModuleList):
    """A linear layer a branch: [m, B, D] to [B, m, C]."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.stack([layer(rows) for layer, rows in zip(self, features, strict=True)], 1)


class BranchedHead(nn.Module):
    """[m B, D] to the logits of the branch `keep`, or of the gated ensemble sum_b g_b z_b where it is None.

    The gate reads the mean of what the branches' classifiers read.
    """

    def __init__(self, classifiers: Sequence[nn.Linear], *, keep: int | None) -> None:
        super().__init__()
        self.classifiers = Classifiers(classifiers)
        self.gate = Gate(classifiers[0].in_features, len(classifiers))
        self.keep = keep

    def forward(self, features: Tensor) -> Tensor:
        rows = features.view(len(self.classifiers), -1, features.shape[1])
        logits = self.classifiers(rows)
        trust = functional.softmax(self.gate(rows.mean(0)), -1)
        found: Tensor = gated(logits, trust) if self.keep is None else logits[:, self.keep]
        return found


def gated(logits: Tensor, trust: Tensor) -> Tensor:
    """The ensemble sum_b g_b z_b of logits [B, m, C] and trust [B, m], whose rows sum to 1; [B, C]."""
    return (trust[..., None] * logits).sum(1)


@dataclass(frozen=True)
class Branching:
    """Which stage of a body is branched, by its path in the body, and how often."""

    stage: str
    count: int

    @property
    def spec(self) -> dict[str, object]:
        """What stands in a model's recipe under `branches`."""
        return {"stage": self.stage, "count": self.count}


def branching_of(spec: Mapping[str, object]) -> Branching:
    """From what a recipe says under `branches`."""
    return Branching(str(spec["stage"]), int(cast(int, spec["count"])))


def branch(body: nn.Module, branching: Branching) -> None:
    """Put copies of a stage beside it; all begin with the same weights."""
    stage = body.get_submodule(branching.stage)
    _put(body, branching.stage, BranchedStage([stage, *(deepcopy(stage) for _ in range(branching.count - 1))]))


def keep_branch(body: nn.Module, branching: Branching, number: int) -> None:
    """Undo `branch`: one of the branches alone becomes the stage."""
    stage = body.get_submodule(branching.stage)
    assert isinstance(stage, BranchedStage)
    _put(body, branching.stage, stage.branches[number])


def branched_head(classifier: Callable[[], nn.Linear], *, count: int, keep: int | None) -> BranchedHead:
    """A head of so many new classifiers."""
    return BranchedHead([classifier() for _ in range(count)], keep=keep)


def _put(body: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(body.get_submodule(parent), name, module)
