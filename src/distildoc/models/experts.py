"""A hierarchical mixture of experts: levels of small blocks, gates that say which block reads which, a head a class.

    d = softmax_rows( log q / t )        q = softmax_rows(A / 0.5), A in R^(children x parents) learned
    input of child j = sum_i d_ji (output of parent i)

The explainer of Xue et al. 2021, arXiv:2105.04181 (KDExplainer), in the form of its released code: a block is two 3 x 3
convolutions with batch norm and ReLU and a 2 x 2 max-pool; every class has a head of its own that ends in one logit.
The gates do not depend on the page. In evaluation each child reads its most likely parent alone: the network is a tree.

The blocks of a level are one grouped convolution. We differ in size: two levels of 2 and 4 blocks, narrow ones, and
heads that read `cells` x `cells` averages; theirs are 2, 4 and 8 blocks of 64 channels, and 7 x 7 averages into 128
units. Two hidden layers with ReLU in a head are our reading of its sizes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.model import Model, Normalise, Places
from distildoc.models.projectors import width as whole
from distildoc.schema.errors import ConfigError, InputError

SOFTNESS = 0.5  # divides A, as in the released code
SOURCE = "experts"  # of a recipe, and the kind of its head


@dataclass(frozen=True)
class ExpertsConfig:
    """channels of the picture; blocks a level; channels inside and after a block; cells and units of the heads."""

    channels: int
    experts: tuple[int, ...]
    inner: int
    outer: int
    cells: int
    hidden: int


class Gate(nn.Module):
    """[B, parents x C, ...] to [B, children x C, ...]; `temperature` is t, which a method may lower while training."""

    def __init__(self, children: int, parents: int) -> None:
        super().__init__()
        self.affinity = nn.Parameter(torch.rand(children, parents))
        self.temperature = 1.0

    @property
    def scores(self) -> Tensor:
        """[children, parents]; their softmax along the rows is d."""
        return functional.log_softmax(self.affinity / SOFTNESS, -1) / self.temperature

    @property
    def parents(self) -> Tensor:
        """[children] int64: the most likely parent of each."""
        return self.affinity.argmax(1)

    def forward(self, feature: Tensor) -> Tensor:
        apart = torch.unflatten(feature, 1, (self.affinity.shape[1], -1))
        if not self.training:
            return apart.index_select(1, self.parents).flatten(1, 2)
        shares = functional.softmax(self.scores, -1).to(apart.dtype)
        return torch.einsum("ji,bi...->bj...", shares, apart).flatten(1, 2)


class ExpertBody(nn.Module):
    """[B, channels, H, W] to [B, D]: the last level's blocks, averaged to cells, side by side."""

    def __init__(self, config: ExpertsConfig) -> None:
        super().__init__()
        sources = (config.channels, *[config.outer] * (len(config.experts) - 1))
        levels = zip(config.experts, sources, strict=True)
        self.levels = nn.ModuleList(_level(count, source, config.inner, config.outer) for count, source in levels)
        pairs = zip(config.experts[1:], config.experts, strict=False)
        self.gates = nn.ModuleList(Gate(children, parents) for children, parents in pairs)
        self.pool = nn.AdaptiveAvgPool2d(config.cells)
        self.first = config.experts[0]

    def forward(self, pixels: Tensor) -> Tensor:
        feature: Tensor = self.levels[0](pixels.repeat(1, self.first, 1, 1))
        for gate, level in zip(self.gates, self.levels[1:], strict=True):
            feature = level(gate(feature))
        pooled: Tensor = self.pool(feature)
        return pooled.flatten(1)


class ClassExperts(nn.Module):
    """[B, D] to logits [B, C]: each class reads its parent among the last blocks through a network of its own."""

    def __init__(self, *, classes: int, parents: int, features: int, hidden: int) -> None:
        super().__init__()
        self.gate = Gate(classes, parents)
        self.heads = nn.Sequential(
            nn.Conv1d(classes * features, classes * hidden, 1, groups=classes),
            nn.ReLU(),
            nn.Conv1d(classes * hidden, classes * hidden, 1, groups=classes),
            nn.ReLU(),
            nn.Conv1d(classes * hidden, classes, 1, groups=classes),
        )

    def forward(self, feature: Tensor) -> Tensor:
        logits: Tensor = self.heads(self.gate(feature)[:, :, None])
        return logits.flatten(1)


def gates_of(model: Model) -> list[Gate]:
    """The gates from the first level to the classes; none in a model that is no mixture of experts."""
    return [module for module in model.modules() if isinstance(module, Gate)]


def build_experts(name: str, config: ExpertsConfig, normalise: Normalise, labels: Sequence[str]) -> Model:
    """A mixture of experts for these labels; raises ConfigError for pages that its levels cannot halve."""
    assert normalise.size is not None  # presets are built for a size
    step = 2 ** len(config.experts) * config.cells
    if any(side % step for side in normalise.size):
        raise ConfigError(f"model '{name}': sides of {normalise.size} pixels are no multiples of {step}")
    spec = {
        "kind": SOURCE,
        "classes": len(labels),
        "parents": config.experts[-1],
        "features": config.outer * config.cells**2,
        "hidden": config.hidden,
    }
    plain = {**asdict(config), "experts": list(config.experts)}
    recipe = {"source": SOURCE, "name": name, "config": plain, "body": "pooled", "head": spec}
    stages = tuple(f"body.levels.{index}" for index in range(len(config.experts)))
    places = Places(penultimate="body", map=stages[-1], stages=stages)
    return Model(
        ExpertBody(config), class_experts(spec), normalise=normalise, labels=labels, places=places, recipe=recipe
    )


def expert_body(recipe: Mapping[str, object]) -> ExpertBody:
    """The body of a saved mixture, weights yet to be loaded; raises InputError for a damaged recipe."""
    config = recipe.get("config")
    experts = config.get("experts") if isinstance(config, Mapping) else None
    if not isinstance(config, Mapping) or not isinstance(experts, list) or not experts:
        raise InputError("recipe: a mixture of experts needs a `config` with the `experts` of every level")
    counts = tuple(whole({"experts": count}, "experts") for count in experts)
    inner, outer, cells, hidden = (whole(config, key) for key in ("inner", "outer", "cells", "hidden"))
    return ExpertBody(ExpertsConfig(whole(config, "channels"), counts, inner, outer, cells, hidden))


def class_experts(spec: Mapping[str, object]) -> ClassExperts:
    """The head that a description names."""
    classes, parents, features, hidden = (whole(spec, key) for key in ("classes", "parents", "features", "hidden"))
    return ClassExperts(classes=classes, parents=parents, features=features, hidden=hidden)


def _level(count: int, source: int, inner: int, outer: int) -> nn.Sequential:
    """`count` blocks side by side."""
    return nn.Sequential(
        nn.Conv2d(count * source, count * inner, 3, padding=1, groups=count, bias=False),
        nn.BatchNorm2d(count * inner),
        nn.ReLU(),
        nn.Conv2d(count * inner, count * outer, 3, padding=1, groups=count, bias=False),
        nn.BatchNorm2d(count * outer),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
