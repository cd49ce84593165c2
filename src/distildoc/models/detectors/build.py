"""Detectors by name: a preset, a hub id or a local folder, for the labels that a task wants."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedConfig

from distildoc.core.model import Detector, Normalise
from distildoc.models import hub
from distildoc.models.build import check_wanted, is_published, plain_config, published
from distildoc.models.classes import names_by_row
from distildoc.models.detectors.classes import fit_classes
from distildoc.models.detectors.detr import pyramid_places, split
from distildoc.models.detectors.families import blank_network, config_from, family_of
from distildoc.models.detectors.initial import draw_weights
from distildoc.models.detectors.presets import PLAIN, find_detector
from distildoc.models.detectors.rcnn.build import build_rcnn
from distildoc.models.detectors.rcnn.presets import RCNNS
from distildoc.models.grey import grey_normalise, sum_over_colour
from distildoc.schema.errors import ConfigError
from distildoc.schema.json_files import read_json

DEFAULT_SIZE = (640, 640)  # what published detectors are trained at


def build_detector(
    name: str,
    *,
    labels: Sequence[str],
    size: tuple[int, int] | None = None,
    channels: int = 3,
    pretrained: bool = False,
    seed: int = 0,
    **settings: Any,
) -> Detector:
    """A detector for these labels.

    name        a preset of DETECTORS or RCNNS, a hub id, or a local folder (config.json and safetensors).
    size        (height, width) in pixels of the pages to come, for checks; the detector takes any other size too
                that is a multiple of its coarsest stride.
    channels    3, or 1 for a network that sees luma only.
    pretrained  start from published weights (a hub id or folder has them, a preset names a hub id).
    seed        draws the initial weights: the same seed gives the same bits.
    settings    keyword arguments of `settings_of(name)`.

    Classes that the weights know by name keep their rows in every layer that scores classes; others are new.
    Raises ConfigError for an unknown name or setting, InputError for files that cannot be used.
    """
    check_wanted(name, labels, channels, settings, allowed=settings_of(name))
    size = size or DEFAULT_SIZE
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name in RCNNS:
            return build_rcnn(
                RCNNS[name], labels=labels, size=size, channels=channels, pretrained=pretrained, settings=settings
            )
        if pretrained or is_published(name):
            network, normalise = _from_published(name, labels, channels, pretrained)
        else:
            network, normalise = _from_preset(name, labels, size, channels, settings)
    _check_size(name, cast(PreTrainedConfig, network.config), size)
    return assemble(name, network, normalise, labels)


def settings_of(name: str) -> Callable[..., object]:
    """A function whose keyword-only arguments are the settings that `build_detector` takes for this name."""
    if name in RCNNS:
        return RCNNS[name].config
    return published if is_published(name) else find_detector(name).config


def assemble(name: str, network: nn.Module, normalise: Normalise, labels: Sequence[str]) -> Detector:
    """A whole network of transformers, split, as a Detector that knows how to be built again."""
    config = plain_config(cast(PreTrainedConfig, network.config))
    body, head = split(network)
    return Detector(
        body,
        head,
        normalise=normalise,
        labels=labels,
        places=pyramid_places(body),
        recipe={
            "source": "transformers",
            "name": name,
            "config": config,
            "body": "pyramid",
            "head": {"kind": "decoder", "config": config, "classes": len(labels)},
        },
    )


def _from_preset(
    name: str, labels: Sequence[str], size: tuple[int, int], channels: int, settings: Mapping[str, Any]
) -> tuple[nn.Module, Normalise]:
    preset = find_detector(name)
    config = cast(PreTrainedConfig, preset.config(channels, size, **settings))
    config.num_labels = len(labels)
    network = blank_network(config)
    draw_weights(network)
    normalise = Normalise(*preset.normalise)
    return network, normalise if channels == 3 else grey_normalise(normalise)


def _from_published(name: str, labels: Sequence[str], channels: int, pretrained: bool) -> tuple[nn.Module, Normalise]:
    source = name if is_published(name) else find_detector(name).hub
    if source is None:
        raise ConfigError(f"model '{name}' has no published weights; set `pretrained: false`")
    folder = hub.folder_of(source, weights=pretrained)
    config = config_from(read_json(folder / "config.json"), where=str(folder / "config.json"))
    found = hub.read_normalise(folder, config) if (folder / hub.PROCESSOR).is_file() else Normalise(*PLAIN)
    normalise = Normalise(found.mean, found.std)
    if pretrained:
        network = hub.load_network(folder, config, family_of(config).network)
        fit_classes(network, names_by_row(config.id2label), labels, where=name)
    else:
        config.num_labels, config.freeze_backbone_batch_norms = len(labels), False
        network = blank_network(config)
        draw_weights(network)
    if channels == 1:
        normalise = grey_normalise(normalise)
        _read_luma(network)
    return network, normalise


def _read_luma(network: nn.Module) -> None:
    """Sum the stem over colour, and note it in the config that the network is built from again."""
    backbone = network.get_submodule("model.backbone.model")
    sum_over_colour(backbone)
    for config in (cast(PreTrainedConfig, network.config).backbone_config, cast(PreTrainedConfig, backbone.config)):
        config.num_channels = 1
        if config.model_type == "hgnet_v2":
            config.stem_channels = [1, *config.stem_channels[1:]]


def _check_size(name: str, config: PreTrainedConfig, size: tuple[int, int]) -> None:
    strides = [int(stride) for stride in config.feat_strides]
    if size[0] % strides[-1] or size[1] % strides[-1]:
        raise ConfigError(f"model '{name}': {size[0]} x {size[1]} pixels are no multiples of its stride {strides[-1]}")
    places = sum((size[0] // stride) * (size[1] // stride) for stride in strides)
    if places < config.num_queries:
        raise ConfigError(
            f"model '{name}': {config.num_queries} queries need as many places, and maps of {size[0]} x {size[1]} "
            f"pixels have {places}; use larger pages or fewer `queries`"
        )
