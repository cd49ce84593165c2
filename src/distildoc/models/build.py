"""Models by name: a preset, a hub id, a local folder, or `timm:NAME`, for the labels and the size that a task wants."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedConfig

from distildoc.core.model import Model, Normalise
from distildoc.models import hub, positions
from distildoc.models.bodies import MapBody, PooledBody, base_of, leading_tokens, places_of, take_head
from distildoc.models.branches import branch, branching_of
from distildoc.models.classes import fitted_linear, names_by_row
from distildoc.models.experts import SOURCE as EXPERTS
from distildoc.models.experts import ExpertsConfig, build_experts, expert_body
from distildoc.models.grey import grey_normalise, sum_over_colour
from distildoc.models.heads import linear_spec
from distildoc.models.presets import find_preset
from distildoc.models.timm_source import build_timm, timm_body, timm_settings
from distildoc.schema.errors import ConfigError, InputError, closest

TIMM = "timm:"
DEFAULT_SIZE = (224, 224)  # what published image classifiers are trained at
LEFT_OUT = ("id2label", "label2id", "architectures", "transformers_version", "dtype", "torch_dtype")


def build_model(
    name: str,
    *,
    labels: Sequence[str],
    size: tuple[int, int] | None = None,
    channels: int = 3,
    pretrained: bool = False,
    seed: int = 0,
    **settings: Any,
) -> Model:
    """A classifier for these labels.

    name        a preset of MODELS, a hub id, a local folder (config.json and safetensors), or `timm:NAME`.
    size        (height, width) in pixels that the network works at; None: the published one, or 224 x 224.
    channels    3, or 1 for a network that sees luma only.
    pretrained  start from published weights (a hub id or folder has them, a preset names a hub id).
    seed        draws the initial weights: the same seed gives the same bits.
    settings    keyword arguments of `settings_of(name)`.

    Classes that the weights know by name keep their rows of the classifier; otherwise the classifier is new.
    Raises ConfigError for an unknown name or setting, InputError for files that cannot be used.
    """
    check_wanted(name, labels, channels, settings, allowed=settings_of(name))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name.startswith(TIMM):
            return build_timm(
                name.removeprefix(TIMM),
                labels=labels,
                size=size or DEFAULT_SIZE,
                channels=channels,
                pretrained=pretrained,
                **settings,
            )
        if pretrained or is_published(name):
            return _from_published(name, labels, size, channels, pretrained)
        return _from_preset(name, labels, size or DEFAULT_SIZE, channels, settings)


def settings_of(name: str) -> Callable[..., object]:
    """A function whose keyword-only arguments are the settings that `build_model` takes for this name."""
    if name.startswith(TIMM):
        return timm_settings
    return published if is_published(name) else find_preset(name).config


def published() -> None:
    """A published network is taken as it is: no settings."""


def body_from(recipe: Mapping[str, object]) -> nn.Module:
    """The body that a recipe describes, with weights yet to be loaded; touches neither network nor other files.

    Raises InputError for a recipe that names no known source or body.
    """
    body = _plain_body(recipe)
    if isinstance(branches := recipe.get("branches"), dict):
        branch(body, branching_of(branches))
    return body


def _plain_body(recipe: Mapping[str, object]) -> nn.Module:
    kind = recipe.get("body")
    if kind not in ("pooled", "map"):
        raise InputError(f"recipe: body '{kind}' is neither 'pooled' nor 'map'")
    if recipe.get("source") == "timm":
        return timm_body(recipe)
    if recipe.get("source") == EXPERTS:
        return expert_body(recipe)
    if recipe.get("source") != "transformers" or not isinstance(recipe.get("config"), dict):
        raise InputError(f"recipe: source '{recipe.get('source')}' is neither 'transformers' with a config nor 'timm'")
    config = hub.config_from(cast(dict[str, object], recipe["config"]), where="recipe")
    network = _blank(config)
    take_head(network)
    return PooledBody(network) if kind == "pooled" else MapBody(network, tokens=leading_tokens(base_of(network)))


def is_published(name: str) -> bool:
    return hub.is_hub_id(name) or Path(name).is_dir()


def _from_preset(
    name: str, labels: Sequence[str], size: tuple[int, int], channels: int, settings: Mapping[str, Any]
) -> Model:
    preset = find_preset(name)
    config = preset.config(channels, size, **settings)
    normalise = Normalise(*preset.normalise, size)
    if channels == 1:
        normalise = grey_normalise(normalise)
    if isinstance(config, ExpertsConfig):
        return build_experts(name, config, normalise, labels)
    config.num_labels = len(labels)
    network = _blank(config)
    return _assemble(name, network, take_head(network), normalise, labels)


def _from_published(
    name: str, labels: Sequence[str], size: tuple[int, int] | None, channels: int, pretrained: bool
) -> Model:
    source = name if is_published(name) else find_preset(name).hub
    if source is None:
        raise ConfigError(f"model '{name}' has no published weights; set `pretrained: false`")
    folder = hub.folder_of(source, weights=pretrained)
    config = hub.read_config(folder)
    normalise = hub.read_normalise(folder, config)
    size = size or normalise.size or DEFAULT_SIZE
    normalise = Normalise(normalise.mean, normalise.std, size)
    network = hub.load_network(folder, config) if pretrained else _blank(config)
    network = _at_size(network, size)
    known = names_by_row(config.id2label) if pretrained else []
    linear = fitted_linear(take_head(network), known, labels, where=name)
    if channels == 1:
        normalise = grey_normalise(normalise)
        sum_over_colour(network)
    return _assemble(name, network, linear, normalise, labels)


def _at_size(network: nn.Module, size: tuple[int, int]) -> nn.Module:
    """Networks with learnt positions are resampled once; all others take any size as they are."""
    if not positions.has_positions(network) or positions.interpolates_itself(network):
        return network
    return positions.with_positions(network, size)


def _blank(config: PreTrainedConfig) -> nn.Module:
    """The network of a config with random weights; raises InputError for a config that no network can be made of."""
    try:
        return hub.network_class(config)(config)
    except (TypeError, ValueError, KeyError, RuntimeError, ZeroDivisionError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"model: the {config.model_type} config makes no network: {reason}") from None


def _assemble(name: str, network: nn.Module, linear: nn.Linear, normalise: Normalise, labels: Sequence[str]) -> Model:
    """Body and head as a Model that knows how to be built again."""
    recipe = {
        "source": "transformers",
        "name": name,
        "config": plain_config(cast(PreTrainedConfig, network.config)),
        "body": "pooled",
        "head": linear_spec(linear),
    }
    places = places_of(network, prefix=str(network.base_model_prefix))
    return Model(PooledBody(network), linear, normalise=normalise, labels=labels, places=places, recipe=recipe)


def plain_config(config: PreTrainedConfig) -> dict[str, object]:
    """What builds the network again, as JSON: without labels, which the Model holds, and without versions."""
    content = json.loads(json.dumps(config.to_dict()))
    return {key: value for key, value in content.items() if key not in LEFT_OUT and not key.startswith("_")}


def check_wanted(
    name: str,
    labels: Sequence[str],
    channels: int,
    settings: Mapping[str, Any],
    *,
    allowed: Callable[..., object],
) -> None:
    """Raises ConfigError for channels or labels that no model has, or a setting that `allowed` does not take."""
    if channels not in (1, 3):
        raise ConfigError(f"model '{name}': channels must be 1 (grey) or 3 (colour), got {channels}")
    if not labels or len(set(labels)) != len(labels):
        raise ConfigError(f"model '{name}': needs at least one label and no label twice, got {list(labels)}")
    parameters = inspect.signature(allowed).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"model '{name}': unknown setting '{key}'; {closest(key, known) if known else 'it has none'}"
            )
