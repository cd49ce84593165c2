"""Heads: what stands between a body and its logits, rebuilt from plain JSON when a model is loaded."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from distildoc.core.model import Model
from distildoc.losses.subclasses import folded
from distildoc.models.branches import branched_head
from distildoc.models.experts import SOURCE as EXPERTS
from distildoc.models.experts import class_experts
from distildoc.models.projectors import build_projector, width
from distildoc.schema.errors import ConfigError, InputError, closest


class ProjectedHead(nn.Module):
    """A projector and another model's classifier, frozen: what SimKD leaves inside the student.

    projector   the body's vector [B, S] or map [B, S, H, W] into the classifier's feature space.
    pool        mean over the page where the projector gives a map; identity where it gives a vector.
    classifier  reads [B, T].
    """

    def __init__(self, projector: nn.Module, classifier: nn.Linear, *, pool: nn.Module) -> None:
        super().__init__()
        self.projector = projector
        self.pool = pool
        self.classifier = classifier.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.projector(features)))
        return logits


class SubclassHead(nn.Module):
    """Several logits a class, folded to the class's: their softmax is the sum of the sub-classes'.

    subclasses  linear, reads [B, D], gives [B, C x S] with the S of a class side by side; to be tapped.
    """

    def __init__(self, subclasses: nn.Linear, count: int) -> None:
        super().__init__()
        self.subclasses = subclasses
        self.shape = (-1, subclasses.out_features // count, count)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.subclasses(features)
        return folded(logits.view(self.shape))


class MeanOverPage(nn.Module):
    """[B, C, H, W] to [B, C]."""

    def forward(self, feature: Tensor) -> Tensor:
        return feature.mean((2, 3))


def build_head(spec: Mapping[str, object]) -> nn.Module:
    """The head that a description names, with weights not yet loaded.

    {"kind": "linear", "features": D, "classes": C}, {"kind": "projected", "projector": {...}, "classifier": {...}},
    {"kind": "subclass", "features": D, "classes": C, "subclasses": S},
    {"kind": "branched", "count": m, "keep": a branch or None for all, "classifier": {...}} or
    {"kind": "experts", ...} of a mixture of experts.
    Raises InputError for any other description.
    """
    kind = str(spec.get("kind"))
    if kind not in HEADS:
        raise InputError(f"unknown head {spec.get('kind')!r}; {closest(kind, HEADS)}")
    return HEADS[kind](spec)


def _linear_head(spec: Mapping[str, object]) -> nn.Linear:
    return nn.Linear(width(spec, "features"), width(spec, "classes"))


def _projected(spec: Mapping[str, object]) -> nn.Module:
    return projected_head(_part(spec, "projector"), _part(spec, "classifier"))


def _subclass(spec: Mapping[str, object]) -> nn.Module:
    count = width(spec, "subclasses")
    return SubclassHead(nn.Linear(width(spec, "features"), width(spec, "classes") * count), count)


def _branched(spec: Mapping[str, object]) -> nn.Module:
    classifier, keep = _part(spec, "classifier"), spec.get("keep")
    new = partial(_linear, classifier)
    return branched_head(new, count=width(spec, "count"), keep=None if keep is None else int(cast(int, keep)))


HEADS: Mapping[str, Callable[[Mapping[str, object]], nn.Module]] = {
    "linear": _linear_head,
    "projected": _projected,
    "subclass": _subclass,
    "branched": _branched,
    EXPERTS: class_experts,
}


def projected_head(projector: Mapping[str, object], classifier: Mapping[str, object]) -> ProjectedHead:
    """A ProjectedHead from the descriptions of its parts."""
    linear = _linear(classifier)
    pool = MeanOverPage() if projector.get("kind") == "cnn" else nn.Identity()
    return ProjectedHead(build_projector(projector), linear, pool=pool)


def linear_spec(classifier: nn.Linear) -> dict[str, object]:
    """The description of a linear head."""
    return {"kind": "linear", "features": classifier.in_features, "classes": classifier.out_features}


def classifier_of(model: Model) -> tuple[nn.Linear, str]:
    """The last linear layer of a model, and the tap of the vector [B, D] that it reads.

    Raises ConfigError for a head that is no linear layer, which cannot be lent to another model.
    """
    head = model.head
    if isinstance(head, ProjectedHead):
        return head.classifier, "head.pool"
    if isinstance(head, nn.Linear):
        return head, "penultimate"
    raise ConfigError(f"the head of {type(model.body).__name__} is {type(head).__name__}, not one linear layer")


def reordered(classifier: nn.Linear, columns: Sequence[int]) -> nn.Linear:
    """A copy on the CPU whose class i is class columns[i] of the given layer."""
    rows = torch.as_tensor(columns)
    copy = nn.Linear(classifier.in_features, len(rows))
    bias = torch.zeros(classifier.out_features) if classifier.bias is None else classifier.bias.detach().cpu()
    with torch.no_grad():
        copy.weight.copy_(classifier.weight.detach().cpu()[rows])
        copy.bias.copy_(bias[rows])
    return copy


def _linear(spec: Mapping[str, object]) -> nn.Linear:
    linear = build_head(spec)
    if not isinstance(linear, nn.Linear):
        raise InputError("a classifier inside a head must be linear; the model description is damaged")
    return linear


def _part(spec: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = spec.get(key)
    if not isinstance(value, Mapping):
        raise InputError(f"model description: `head.{key}` must be a mapping, got {type(value).__name__}")
    return value
