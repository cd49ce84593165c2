"""Detectors by short name: published sizes, and small ones of ours for laptop CPUs.

Sizes of D-FINE and RT-DETR as in the configs of their published weights (arXiv:2410.13842 and 2407.17140). Published
weights read pixels in 0..1 without mean and std, at 640 x 640; every size that is a multiple of 32 works.
"""

from functools import partial
from typing import Any, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from transformers import DFineConfig, HGNetV2Config, PreTrainedConfig, RTDetrConfig, RTDetrResNetConfig, RTDetrV2Config

from distildoc.models.detectors.rcnn.presets import RCNNS
from distildoc.models.presets import Preset
from distildoc.schema.errors import ConfigError, closest

PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # (mean, std): pixels as they are
STAGES = {4: 1, 8: 2, 16: 3, 32: 4}  # stage of the backbone by its stride


def d_fine(
    channels: int,
    size: tuple[int, int],
    *,
    stem: tuple[int, ...] = (16, 16),
    inner: tuple[int, ...] = (16, 32, 64, 128),
    widths: tuple[int, ...] = (64, 256, 512, 1024),
    depths: tuple[int, ...] = (1, 1, 2, 1),
    convolutions: PositiveInt = 3,
    affine: bool = True,
    strides: tuple[int, ...] = (8, 16, 32),
    width: PositiveInt = 256,
    heads: PositiveInt = 8,
    feedforward: PositiveInt = 1024,
    expansion: PositiveFloat = 0.5,
    depth: PositiveFloat = 0.34,
    decoder_layers: PositiveInt = 3,
    points: tuple[int, ...] = (3, 6, 3),
    queries: PositiveInt = 300,
    denoising: NonNegativeInt = 100,
    one_to_many: NonNegativeFloat = 0.0,
) -> PreTrainedConfig:
    """D-FINE on HGNetV2: `stem`, `inner`, `widths`, `depths`, `convolutions` make the backbone, the rest the pyramid.

    strides    of the pyramid's maps, from fine to coarse; `points` says how many points are sampled on each.
    width      of encoder and decoder, with `heads` and `feedforward`.
    expansion  width of the encoder's blocks, as a share of `width`; `depth`: their number, as a share of the largest.
    queries    boxes a page at most.
    denoising  denoising queries a page while training, 0 for none.
    one_to_many  weight of supervising the encoder's places with several places a box; 0 as published. Random weights
               learn from thousands of pages with it (1.0), where they else take a hundred thousands.
    """
    _check(strides, width, heads)
    if not len(inner) == len(widths) == len(depths) == 4 or len(stem) != 2:
        raise ConfigError("model: `stem` needs 2 values, and `inner`, `widths` and `depths` one for each of 4 stages")
    if len(points) != len(strides):
        raise ConfigError(f"model: `points` needs one value a stride, got {points} for {strides}")
    backbone = HGNetV2Config(
        num_channels=channels,
        embedding_size=stem[-1],
        hidden_sizes=list(widths),
        depths=list(depths),
        stem_channels=[channels, *stem],
        stage_in_channels=[stem[-1], *widths[:-1]],
        stage_mid_channels=list(inner),
        stage_out_channels=list(widths),
        stage_num_blocks=list(depths),
        stage_numb_of_layers=[convolutions] * 4,
        use_learnable_affine_block=affine,
        out_indices=[STAGES[stride] for stride in strides],
    )
    return DFineConfig(
        backbone_config=backbone,
        decoder_n_points=list(points),
        depth_mult=depth,
        **_pyramid(strides, widths, width=width, heads=heads, feedforward=feedforward),
        **_decoder(decoder_layers, queries, denoising, expansion),
        one_to_many=one_to_many,
    )


def rt_detr(
    channels: int,
    size: tuple[int, int],
    *,
    version: Literal[1, 2] = 2,
    widths: tuple[int, ...] = (256, 512, 1024, 2048),
    depths: tuple[int, ...] = (3, 4, 6, 3),
    embedding: PositiveInt = 64,
    layer: Literal["basic", "bottleneck"] = "bottleneck",
    strides: tuple[int, ...] = (8, 16, 32),
    width: PositiveInt = 256,
    heads: PositiveInt = 8,
    feedforward: PositiveInt = 1024,
    expansion: PositiveFloat = 1.0,
    decoder_layers: PositiveInt = 6,
    points: PositiveInt = 4,
    queries: PositiveInt = 300,
    denoising: NonNegativeInt = 100,
    one_to_many: NonNegativeFloat = 0.0,
) -> PreTrainedConfig:
    """RT-DETR or, as `version` 2, RT-DETRv2 on a ResNet-vd of `widths`, `depths`, `embedding` and `layer`.

    The other settings as for D-FINE; `points` are sampled on every map.
    """
    _check(strides, width, heads)
    content = {
        "backbone_config": _resnet(channels, widths, depths, embedding, layer, strides),
        "decoder_n_points": points,
        **_pyramid(strides, widths, width=width, heads=heads, feedforward=feedforward),
        **_decoder(decoder_layers, queries, denoising, expansion),
        "one_to_many": one_to_many,
    }
    return RTDetrConfig(**content) if version == 1 else RTDetrV2Config(**content, decoder_n_levels=len(strides))


def _resnet(
    channels: int,
    widths: tuple[int, ...],
    depths: tuple[int, ...],
    embedding: int,
    layer: str,
    strides: tuple[int, ...],
) -> PreTrainedConfig:
    if not len(widths) == len(depths) == 4:
        raise ConfigError(f"model: `widths` and `depths` need one value for each of 4 stages, got {widths}, {depths}")
    return RTDetrResNetConfig(
        num_channels=channels,
        embedding_size=embedding,
        hidden_sizes=list(widths),
        depths=list(depths),
        layer_type=layer,
        out_indices=[STAGES[stride] for stride in strides],
    )


def _check(strides: tuple[int, ...], width: int, heads: int) -> None:
    if (
        not strides
        or list(strides) != [s for s in STAGES if s in strides]
        or strides[-1] != strides[0] << (len(strides) - 1)
    ):
        raise ConfigError(f"model: `strides` must be neighbours among {tuple(STAGES)}, fine to coarse, got {strides}")
    if width % heads or width % 4:
        raise ConfigError(f"model: `width` {width} must be a multiple of `heads` {heads} and of 4")


def _pyramid(
    strides: tuple[int, ...], widths: tuple[int, ...], *, width: int, heads: int, feedforward: int
) -> dict[str, object]:
    return {
        "freeze_backbone_batch_norms": False,  # frozen ones could learn nothing from random weights
        "encoder_in_channels": [widths[STAGES[stride] - 1] for stride in strides],
        "feat_strides": list(strides),
        "encode_proj_layers": [len(strides) - 1],
        "encoder_hidden_dim": width,
        "encoder_ffn_dim": feedforward,
        "encoder_attention_heads": heads,
        "d_model": width,
        "decoder_in_channels": [width] * len(strides),
        "decoder_ffn_dim": feedforward,
        "decoder_attention_heads": heads,
        "num_feature_levels": len(strides),
    }


def _decoder(layers: int, queries: int, denoising: int, expansion: float) -> dict[str, object]:
    return {
        "decoder_layers": layers,
        "num_queries": queries,
        "num_denoising": denoising,
        "hidden_expansion": expansion,
    }


def _d_fine(about: str, hub: str | None = None, **settings: Any) -> Preset:
    return Preset(partial(d_fine, **settings), about, PLAIN, hub)


def _rt_detr(about: str, hub: str | None = None, **settings: Any) -> Preset:
    return Preset(partial(rt_detr, **settings), about, PLAIN, hub)


SMALL_RESNET = {"widths": (64, 128, 256, 512), "depths": (2, 2, 2, 2), "layer": "basic"}
SMALL_RT_DETR = {**SMALL_RESNET, "expansion": 0.5, "decoder_layers": 3}

DETECTORS: dict[str, Preset] = {
    "d-fine-n": _d_fine(
        "D-FINE-N: HGNetV2-B0, two maps, 128 wide, 3.7 M weights",
        "ustc-community/dfine-nano-coco",
        strides=(16, 32),
        points=(6, 6),
        width=128,
        feedforward=512,
        expansion=0.34,
        depth=0.5,
    ),
    "d-fine-s": _d_fine("D-FINE-S: HGNetV2-B0, three maps, 256 wide, 10 M weights", "ustc-community/dfine-small-coco"),
    "d-fine-m": _d_fine(
        "D-FINE-M: HGNetV2-B2, three maps, 256 wide, 19 M weights",
        "ustc-community/dfine-medium-coco",
        stem=(24, 32),
        inner=(32, 64, 128, 256),
        widths=(96, 384, 768, 1536),
        depths=(1, 1, 3, 1),
        convolutions=4,
        expansion=1.0,
        depth=0.67,
        decoder_layers=4,
    ),
    "d-fine-l": _d_fine(
        "D-FINE-L: HGNetV2-B4, three maps, 256 wide, 31 M weights",
        "ustc-community/dfine-large-coco",
        stem=(32, 48),
        inner=(48, 96, 192, 384),
        widths=(128, 512, 1024, 2048),
        depths=(1, 1, 3, 1),
        convolutions=6,
        affine=False,
        expansion=1.0,
        depth=1.0,
        decoder_layers=6,
    ),
    "rtdetr-r18": _rt_detr("RT-DETR on ResNet-18-vd, 20 M weights", "PekingU/rtdetr_r18vd", version=1, **SMALL_RT_DETR),
    "rtdetr-r50": _rt_detr("RT-DETR on ResNet-50-vd, 43 M weights", "PekingU/rtdetr_r50vd", version=1),
    "rtdetrv2-r18": _rt_detr("RT-DETRv2 on ResNet-18-vd, 20 M weights", "PekingU/rtdetr_v2_r18vd", **SMALL_RT_DETR),
    "rtdetrv2-r50": _rt_detr("RT-DETRv2 on ResNet-50-vd, 43 M weights", "PekingU/rtdetr_v2_r50vd"),
    "d-fine-mini": _d_fine(
        "mini D-FINE for CPUs, three maps, 128 wide, 4.2 M weights",
        width=128,
        feedforward=512,
        queries=100,
    ),
    "d-fine-micro": _d_fine(
        "micro D-FINE for CPUs, three maps, 64 wide, 0.7 M weights",
        stem=(8, 8),
        inner=(8, 16, 32, 64),
        widths=(32, 64, 128, 256),
        depths=(1, 1, 1, 1),
        width=64,
        heads=4,
        feedforward=256,
        queries=100,
    ),
    "rtdetrv2-micro": _rt_detr(
        "micro RT-DETRv2 for CPUs on a small ResNet-vd, three maps, 64 wide, 0.9 M weights",
        widths=(16, 32, 64, 128),
        depths=(1, 1, 1, 1),
        embedding=16,
        layer="basic",
        width=64,
        heads=4,
        feedforward=256,
        expansion=0.5,
        decoder_layers=3,
        queries=100,
    ),
}


def find_detector(name: str) -> Preset:
    """A preset of DETECTORS; raises ConfigError with the closest names, those of R-CNNs among them."""
    if name in DETECTORS:
        return DETECTORS[name]
    raise ConfigError(
        f"unknown detector '{name}'; {closest(name, [*DETECTORS, *RCNNS])}; or give a hub id (owner/name) or a local "
        "folder"
    )
