"""Published networks: a hub id or a local folder in transformers' layout, to a config, weights and a normalisation.

Only JSON and safetensors are read; code and pickles of a repository never run. The network is used only for a hub id
that the user wrote, and never where `HF_HUB_OFFLINE=1`.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import CONFIG_MAPPING, PreTrainedConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
)
from transformers.utils import logging as transformers_logging

from distildoc.core.model import Normalise
from distildoc.schema.errors import InputError, closest
from distildoc.schema.json_files import read_json

PROCESSOR = "preprocessor_config.json"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
LARGEST_PX = 8192  # longest side that a config may ask for
IGNORED_KEYS = (
    *("auto_map", "quantization_config", "attn_implementation"),  # could fetch or run code
    *("backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs"),  # would fetch a backbone
    *("dtype", "torch_dtype", "return_dict", "output_hidden_states", "output_attentions"),  # ours to decide
)
CLASSIFIERS = tuple(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)
IMAGENET = Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Normalise()
IMAGENET_FAMILIES = ("resnet", "convnext", "convnextv2", "swin", "swinv2", "regnet", "dinov2", "deit", "efficientnet")

logger = logging.getLogger(__name__)


def is_hub_id(name: str) -> bool:
    """Whether a name reads `owner/name`.

    >>> is_hub_id("microsoft/resnet-18"), is_hub_id("../resnet")
    (True, False)
    """
    return HUB_ID.fullmatch(name) is not None


def folder_of(name: str, *, weights: bool, more: Sequence[str] = ()) -> Path:
    """The local folder of a network; for a hub id, its files are fetched or found in the cache.

    more  other files that are wanted. Raises InputError where neither works, and names the way out.
    """
    if Path(name).is_dir():
        return Path(name)
    patterns = ["config.json", PROCESSOR, *more]
    if weights:
        patterns += ["model*.safetensors", "model.safetensors.index.json"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"model '{name}': cannot be fetched from the hub and is not in its cache ({reason}); fetch it where there "
            f"is a network with `hf download {name}` and give the folder, or take a preset such as resnet-18 with "
            "random weights"
        ) from None


def read_config(folder: Path) -> PreTrainedConfig:
    """The config of a network in a folder; raises InputError for anything that is no image classifier."""
    return config_from(read_json(folder / "config.json"), where=str(folder / "config.json"))


def config_from(
    content: Mapping[str, object],
    *,
    where: str,
    kinds: Sequence[str] = CLASSIFIERS,
    noun: str = "image classifier",
) -> PreTrainedConfig:
    """A transformers config from plain JSON, without what could fetch or run code, or change what a forward gives.

    kinds, noun  the model types that are taken, and what they are.
    """
    kind = str(content.get("model_type"))
    if kind not in kinds:
        raise InputError(f"{where}: model_type '{kind}' is no {noun} of transformers; {closest(kind, kinds)}")
    try:
        return CONFIG_MAPPING[kind].from_dict(cast(dict[str, object], _safe(content)))
    except (StrictDataclassError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{where}: not a usable {kind} config: {' '.join(str(error).split())[:200]}") from None


def _safe(value: object) -> object:
    """A config without IGNORED_KEYS and private ones, in its parts too (a CLIP holds the config of its vision)."""
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if key not in IGNORED_KEYS and not key.startswith("_")}
        return {key: _safe(item) for key, item in kept.items()}
    return [_safe(item) for item in value] if isinstance(value, list) else value


def network_class(config: PreTrainedConfig) -> type[nn.Module]:
    """The image classifier of transformers for a config."""
    found = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
    return cast(type[nn.Module], found[0] if isinstance(found, tuple | list) else found)


def load_network(folder: Path, config: PreTrainedConfig, cls: type[nn.Module] | None = None) -> nn.Module:
    """The network with the weights of a folder, in float32; raises InputError where they do not fit.

    cls  the class of transformers to load; None: the image classifier of the config.

    Weights that the file lacks (a new classifier on a pre-trained body) are drawn at random and named in the log.
    """
    cls = cls or network_class(config)
    if not any(folder.glob("*.safetensors")):
        raise InputError(f"{folder}: no safetensors weights; pickled weights are never read, convert them first")
    try:
        with _quiet():
            network, report = cls.from_pretrained(  # type: ignore[attr-defined]
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:  # safetensors, transformers and torch each raise their own for a broken file
        raise InputError(f"{folder}: weights cannot be read: {' '.join(str(error).split())[:200]}") from None
    missing = set(report["missing_keys"])
    if all(name in missing for name, _ in network.named_parameters()):
        raise InputError(f"{folder}: none of the weights belongs to a {cls.__name__}; is config.json of another model?")
    if missing:
        shown = ", ".join(sorted(missing)[:4])
        logger.info("%s: %d tensors start at random, not in the file: %s", folder.name, len(missing), shown)
    return cast(nn.Module, network)


def read_normalise(folder: Path, config: PreTrainedConfig) -> Normalise:
    """Mean, std and size from preprocessor_config.json, or the family's usual ones."""
    default = IMAGENET if config.model_type in IMAGENET_FAMILIES else HALF
    size = _config_size(config)
    path = folder / PROCESSOR
    if not path.is_file():
        return Normalise(default.mean, default.std, size)
    content = read_json(path)
    size = _size(content.get("size"), str(path)) or size
    if content.get("do_normalize") is False:
        return Normalise((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), size)
    try:
        mean = _triple(content.get("image_mean", default.mean))
        return Normalise(mean, _triple(content.get("image_std", default.std)), size)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: image_mean and image_std must be three numbers: {error}") from None


def _triple(value: object) -> tuple[float, ...]:
    if isinstance(value, int | float):
        return (float(value),) * 3
    return tuple(float(item) for item in json.loads(json.dumps(value)))


def _size(value: object, where: str) -> tuple[int, int] | None:
    """transformers writes 224, {"height": 224, "width": 224} or {"shortest_edge": 224}."""
    if isinstance(value, Mapping):
        edge = value.get("shortest_edge")
        value = [value.get("height", edge), value.get("width", edge)]
    if value is None:
        return None
    sides = [side for side in (value if isinstance(value, list) else [value, value]) if isinstance(side, int)]
    if len(sides) != 2 or not all(1 <= side <= LARGEST_PX for side in sides):
        raise InputError(f"{where}: `size` must give height and width in pixels, got {value}")
    return sides[0], sides[1]


def _config_size(config: PreTrainedConfig) -> tuple[int, int] | None:
    size = getattr(config, "image_size", None)
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (size[0], size[1])


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bar and loading table away; what matters is logged here."""
    level, bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bar:
            transformers_logging.enable_progress_bar()
