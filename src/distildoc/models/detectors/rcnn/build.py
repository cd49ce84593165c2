"""Mask R-CNN for the labels that a task wants, from a preset and its settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import nn
from transformers import PreTrainedConfig

from distildoc.core.model import Detector, Normalise
from distildoc.models import hub
from distildoc.models.build import plain_config
from distildoc.models.detectors.rcnn.bodies import LCNET, STEP, backbone_of, blank_backbone, build_body, places_in
from distildoc.models.detectors.rcnn.head import RcnnHead
from distildoc.models.detectors.rcnn.norms import with_still_norms
from distildoc.models.detectors.rcnn.presets import RcnnPreset, backbone_preset
from distildoc.models.detectors.rcnn.spec import read_spec
from distildoc.models.grey import grey_normalise, sum_over_colour
from distildoc.schema.errors import ConfigError


def build_rcnn(
    preset: RcnnPreset,
    *,
    labels: Sequence[str],
    size: tuple[int, int],
    channels: int,
    pretrained: bool,
    settings: Mapping[str, Any],
) -> Detector:
    """A Mask R-CNN with random weights from the current random state, on a published backbone if `pretrained`.

    size  (height, width) in pixels that a transformer's grid of positions is laid out for; any other works too.
    Raises ConfigError or InputError for a backbone that is unknown, unfit or without published weights.
    """
    plan = preset.config(**settings)
    network, normalise = _backbone(plan.backbone, size=size, channels=channels, pretrained=pretrained)
    if plan.norm == "still":
        network = with_still_norms(network)
    body = build_body(network, channels=plan.channels)
    spec = read_spec({"classes": len(labels), **plan.head})
    return Detector(
        body,
        RcnnHead(spec),
        normalise=normalise,
        labels=labels,
        places=places_in(body),
        recipe={
            "source": "transformers",
            "name": plan.backbone,
            "config": plain_config(cast(PreTrainedConfig, network.config)),
            "body": "fpn",
            "channels": plan.channels,
            "norm": plan.norm,
            "head": spec.to_json(),
        },
    )


def head_from(spec: Mapping[str, object]) -> nn.Module:
    """{"kind": "rcnn", "classes": C, ...}: the head of a saved model, weights yet to come."""
    return RcnnHead(read_spec(spec))


def _backbone(name: str, *, size: tuple[int, int], channels: int, pretrained: bool) -> tuple[nn.Module, Normalise]:
    """A backbone and how it wants its pixels, whatever their size."""
    is_published = hub.is_hub_id(name) or Path(name).is_dir()
    if not pretrained and not is_published:
        preset = backbone_preset(name)
        side = -(-max(size) // STEP) * STEP
        normalise = Normalise(*preset.normalise)
        config = preset.config(channels, (side, side))
        return blank_backbone(config), normalise if channels == 3 else grey_normalise(normalise)
    source = name if is_published else backbone_preset(name).hub
    if source is None:
        raise ConfigError(f"backbone '{name}' has no published weights; set `pretrained: false`")
    folder = hub.folder_of(source, weights=pretrained)
    config = hub.read_config(folder)
    found = hub.read_normalise(folder, config)
    normalise = Normalise(found.mean, found.std)
    network = backbone_of(hub.load_network(folder, config)) if pretrained else blank_backbone(config)
    if config.model_type == LCNET and channels == 1:
        raise ConfigError(f"backbone '{name}' ({LCNET}) reads colour only; set `input: {{grey: false}}`")
    if config.model_type == LCNET:
        _swap_red_and_blue(network)
    if channels == 1:
        sum_over_colour(network)
        normalise = grey_normalise(normalise)
    return network, normalise


def _swap_red_and_blue(network: nn.Module) -> None:
    """PP-LCNets are published for blue, green, red: transformers' processor turns the channels round at its end."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.weight = nn.Parameter(first.weight.detach().flip(1))
