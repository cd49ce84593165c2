"""Bodies and heads of detectors from the plain JSON of a saved model, with weights yet to come.

Body and head are described apart, each with the config that it is made of, because a head may be another model's.
A new kind is one line in BODIES or HEADS.
"""

from collections.abc import Callable, Mapping
from typing import cast

from torch import nn

from distildoc.models.detectors.detr import split
from distildoc.models.detectors.families import LARGEST, blank_network, config_from
from distildoc.models.detectors.projected import KIND, ProjectedLevels, projectors_from
from distildoc.models.detectors.rcnn.bodies import body_from as fpn_body
from distildoc.models.detectors.rcnn.build import head_from as rcnn_head
from distildoc.schema.errors import InputError, closest


def pyramid_body(recipe: Mapping[str, object]) -> nn.Module:
    """{"body": "pyramid", "config": {...}}: the body of a detector of the DETR family."""
    return split(_blank(recipe, classes=1))[0]


def decoder_head(spec: Mapping[str, object]) -> nn.Module:
    """{"kind": "decoder", "config": {...}, "classes": C}: the head of a detector of the DETR family."""
    classes = spec.get("classes")
    if not isinstance(classes, int) or isinstance(classes, bool) or not 1 <= classes <= LARGEST:
        raise InputError(f"model description: `head.classes` must be a whole number from 1, got {classes!r}")
    return split(_blank(spec, classes=classes))[1]


def projected_head(spec: Mapping[str, object]) -> nn.Module:
    """{"kind": "projected-levels", "projectors": [...], "head": {...}}: any other head behind projectors."""
    inner = spec.get("head")
    if not isinstance(inner, Mapping) or inner.get("kind") == KIND:
        raise InputError("model description: a head behind projectors needs a `head` of another kind")
    head = ProjectedLevels(projectors_from(spec), detector_head(inner))
    return head.thaw() if spec.get("trained") is True else head


BODIES: dict[str, Callable[[Mapping[str, object]], nn.Module]] = {"pyramid": pyramid_body, "fpn": fpn_body}
HEADS: dict[str, Callable[[Mapping[str, object]], nn.Module]] = {
    "decoder": decoder_head,
    "rcnn": rcnn_head,
    KIND: projected_head,
}


def is_detector(recipe: Mapping[str, object]) -> bool:
    """Whether a recipe is a detector's."""
    return recipe.get("body") in BODIES


def detector_body(recipe: Mapping[str, object]) -> nn.Module:
    """The body of a recipe; raises InputError for an unknown kind."""
    kind = str(recipe.get("body"))
    if kind not in BODIES:
        raise InputError(f"recipe: unknown body '{kind}'; {closest(kind, BODIES)}")
    return BODIES[kind](recipe)


def detector_head(spec: Mapping[str, object]) -> nn.Module:
    """The head that a description names; raises InputError for an unknown kind."""
    kind = str(spec.get("kind"))
    if kind not in HEADS:
        raise InputError(f"unknown head '{kind}'; {closest(kind, HEADS)}")
    return HEADS[kind](spec)


def _blank(content: Mapping[str, object], *, classes: int) -> nn.Module:
    if not isinstance(content.get("config"), Mapping):
        raise InputError("model description: a detector's body and head need a `config`; the file is damaged")
    config = config_from(cast(Mapping[str, object], content["config"]), where="recipe")
    config.num_labels = classes
    return blank_network(config)
