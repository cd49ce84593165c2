"""Presets: networks by short name, built from a config with random weights where no weights can be had.

The paper's set (DistilDoc, arXiv:2406.08226, table of models): ResNet-101/50/34/18, ViT-B/S/T with 16-pixel patches,
DiT-B (a BEiT with absolute position embeddings and mean pooling, arXiv:2203.02378). ViT-S has 6 heads, as published;
the paper's released config has 8. The `cnn-*` and `vit-micro`, `vit-mini` networks are ours, sized for a laptop CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from typing import Literal

from transformers import BeitConfig, PreTrainedConfig, ResNetConfig, ViTConfig

from distildoc.models.experts import ExpertsConfig
from distildoc.schema.errors import ConfigError, closest

Triple = tuple[float, float, float]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # what the published ResNets were trained with
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # what the published ViTs and BEiTs were trained with


@dataclass(frozen=True)
class Preset:
    """A network by name.

    config     makes the config (of transformers, or of a mixture of experts) from (channels, size); its keyword-only
               arguments are the settings that a run may change.
    about      one line for lists.
    normalise  (mean, std) of RGB.
    hub        id of published weights, or None.
    """

    config: Callable[..., PreTrainedConfig | ExpertsConfig]
    about: str
    normalise: tuple[Triple, Triple] = HALF
    hub: str | None = None

    def __str__(self) -> str:
        return self.about


def resnet(
    channels: int,
    size: tuple[int, int],
    *,
    widths: tuple[int, ...] = (64, 128, 256, 512),
    depths: tuple[int, ...] = (2, 2, 2, 2),
    embedding: int = 64,
    layer: Literal["basic", "bottleneck"] = "basic",
) -> PreTrainedConfig:
    """ResNet: `embedding` channels after the stem, then stages of `widths` channels and `depths` blocks.

    Takes any size; the stem and every stage after the first halve the sides (the stem twice).
    """
    if len(widths) != len(depths):
        raise ConfigError(f"model: `widths` and `depths` need one value a stage each, got {widths} and {depths}")
    return ResNetConfig(
        num_channels=channels,
        embedding_size=embedding,
        hidden_sizes=list(widths),
        depths=list(depths),
        layer_type=layer,
    )


def vit(
    channels: int,
    size: tuple[int, int],
    *,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    mlp_ratio: float = 4.0,
    patch: int = 16,
    dropout: float = 0.0,
) -> PreTrainedConfig:
    """ViT with a CLS token: `depth` blocks of `width` features on patches of `patch` pixels."""
    _check_patches(size, patch)
    return ViTConfig(
        num_channels=channels,
        image_size=size,
        patch_size=patch,
        hidden_dropout_prob=dropout,
        **_blocks(width, depth, heads, mlp_ratio),
    )


def beit(
    channels: int,
    size: tuple[int, int],
    *,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    mlp_ratio: float = 4.0,
    patch: int = 16,
    dropout: float = 0.0,
    drop_path: float = 0.1,
) -> PreTrainedConfig:
    """BEiT with DiT's settings: absolute position embeddings, no relative bias, mean pooling, layer scale 0.1."""
    _check_patches(size, patch)
    return BeitConfig(
        num_channels=channels,
        image_size=max(size),  # BEiT keeps a square grid of positions and interpolates it to the page itself
        use_absolute_position_embeddings=True,
        use_relative_position_bias=False,
        use_mean_pooling=True,
        layer_scale_init_value=0.1,
        patch_size=patch,
        drop_path_rate=drop_path,
        hidden_dropout_prob=dropout,
        **_blocks(width, depth, heads, mlp_ratio),
    )


def hme(
    channels: int,
    size: tuple[int, int],
    *,
    experts: tuple[int, ...] = (2, 4),
    inner: int = 16,
    outer: int = 16,
    cells: int = 2,
    hidden: int = 16,
) -> ExpertsConfig:
    """Levels of `experts` blocks with `inner` and `outer` channels; heads of `hidden` units on `cells` x `cells`."""
    return ExpertsConfig(channels, experts, inner, outer, cells, hidden)


def _blocks(width: int, depth: int, heads: int, mlp_ratio: float) -> dict[str, int]:
    if width % heads:
        raise ConfigError(f"model: `width` {width} must be a multiple of `heads` {heads}")
    return {
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "intermediate_size": round(mlp_ratio * width),
    }


def _check_patches(size: tuple[int, int], patch: int) -> None:
    if size[0] % patch or size[1] % patch:
        raise ConfigError(f"model: {size[0]} x {size[1]} pixels are no whole number of {patch}-pixel patches")


def _wide_resnet(depths: tuple[int, ...], name: str) -> Preset:
    config = partial(resnet, widths=(256, 512, 1024, 2048), depths=depths, layer="bottleneck")
    return Preset(config, f"{name}, bottleneck blocks", IMAGENET, f"microsoft/{name.lower()}")


MODELS: dict[str, Preset] = {
    "resnet-101": _wide_resnet((3, 4, 23, 3), "ResNet-101"),
    "resnet-50": _wide_resnet((3, 4, 6, 3), "ResNet-50"),
    "resnet-34": Preset(
        partial(resnet, depths=(3, 4, 6, 3)), "ResNet-34, basic blocks", IMAGENET, "microsoft/resnet-34"
    ),
    "resnet-18": Preset(resnet, "ResNet-18, basic blocks", IMAGENET, "microsoft/resnet-18"),
    "vit-b": Preset(vit, "ViT-B/16: 12 blocks, 768 wide, 12 heads", HALF, "google/vit-base-patch16-224"),
    "vit-s": Preset(
        partial(vit, width=384, heads=6),
        "ViT-S/16: 12 blocks, 384 wide, 6 heads",
        HALF,
        "WinKawaks/vit-small-patch16-224",
    ),
    "vit-t": Preset(
        partial(vit, width=192, heads=3),
        "ViT-T/16: 12 blocks, 192 wide, 3 heads",
        HALF,
        "WinKawaks/vit-tiny-patch16-224",
    ),
    "dit-b": Preset(beit, "DiT-B/16: BEiT, 12 blocks, 768 wide, mean pooling", HALF, "microsoft/dit-base"),
    "cnn-small": Preset(
        partial(resnet, widths=(32, 64, 128, 256), embedding=32), "small ResNet for CPUs, 2.8 M weights"
    ),
    "cnn-tiny": Preset(
        partial(resnet, widths=(24, 48, 96), depths=(1, 1, 1), embedding=24), "tiny ResNet for CPUs, 0.17 M weights"
    ),
    "cnn-micro": Preset(
        partial(resnet, widths=(16, 32, 48), depths=(1, 1, 1), embedding=16), "micro ResNet for CPUs, 0.06 M weights"
    ),
    "vit-mini": Preset(
        partial(vit, width=128, depth=6, heads=4), "mini ViT for CPUs, 6 blocks, 128 wide, 1.2 M weights"
    ),
    "vit-micro": Preset(
        partial(vit, width=96, depth=4, heads=3), "micro ViT for CPUs, 4 blocks, 96 wide, 0.5 M weights"
    ),
    "hme": Preset(hme, "mixture of experts that explains itself (KDExplainer), 2 and 4 blocks, a head a class"),
}


def find_preset(name: str) -> Preset:
    """A preset of ours or of an installed package (entry points of group `distildoc.models`).

    Raises ConfigError with the closest names.
    """
    if name in MODELS:
        return MODELS[name]
    installed = {entry.name: entry for entry in entry_points(group="distildoc.models")}
    if name in installed:
        preset = installed[name].load()
        if not isinstance(preset, Preset):
            raise ConfigError(f"entry point distildoc.models '{name}' gives a {type(preset).__name__}, not a Preset")
        return preset
    raise ConfigError(
        f"unknown model '{name}'; {closest(name, [*MODELS, *installed])}; or give a hub id (owner/name), "
        "a local folder, or timm:NAME"
    )
