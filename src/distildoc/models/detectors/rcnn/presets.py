"""Mask R-CNNs by short name: the paper's, and a small one for laptop CPUs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from distildoc.models.presets import Preset, find_preset, resnet

Width = Annotated[int, Field(gt=0, le=1 << 14)]
Share = Annotated[float, Field(ge=0, le=1)]
Norm = Literal["batch", "still"]


@dataclass(frozen=True)
class Plan:
    """What a Mask R-CNN is made of, see `mask_rcnn`."""

    backbone: str
    channels: int
    norm: Norm
    head: dict[str, float]


@dataclass(frozen=True)
class RcnnPreset:
    """A Mask R-CNN by name.

    config  makes the plan; its keyword-only arguments are the settings that a run may change.
    about   one line for lists.
    """

    config: Callable[..., Plan]
    about: str

    def __str__(self) -> str:
        return self.about


def mask_rcnn(
    *,
    backbone: str = "resnet-50",
    width: Width = 256,
    hidden: Width = 1024,
    masks: bool = True,
    anchor: PositiveInt = 32,
    proposals: PositiveInt = 1000,
    rois: PositiveInt = 512,
    norm: Norm = "batch",
    score: Share = 0.05,
    overlap: Share = 0.5,
) -> Plan:
    """Mask R-CNN on a pyramid.

    backbone   a ResNet, ViT or BEiT: a classifier's preset, a hub id or a local folder; or a PP-LCNet by id or folder.
    width      channels of the pyramid and of the mask branch; hidden: width of the box branch.
    masks      learn masks too, the rectangles of the boxes; without them it is Faster R-CNN.
    anchor     side in pixels of the smallest anchor; the others are 2, 4, 8 and 16 times as large.
    proposals  a page; rois: those the second stage learns from (the paper takes 128).
    norm       still: batch norms of the backbone stay as published, which random weights cannot do without.
    score      regions below it are left out, and of two that `overlap` more (IoU) the less certain one.
    """
    head = {
        "hidden": hidden,
        "mask_depth": 4 if masks else 0,
        "mask_width": width,
        "anchor": anchor,
        "before_train": 2 * proposals,
        "before": proposals,
        "after": proposals,
        "candidates": proposals,
        "rois": rois,
        "score": score,
        "overlap": overlap,
    }
    return Plan(backbone, width, norm, {"channels": width, **head})


def backbone_preset(name: str) -> Preset:
    """A backbone of ours, or a classifier's preset; raises ConfigError with the closest names."""
    return BACKBONES.get(name) or find_preset(name)


BACKBONES = {
    "resnet-micro": Preset(
        partial(resnet, widths=(16, 32, 64, 96), depths=(1, 1, 1, 1), embedding=16), "micro ResNet of four stages"
    )
}

RCNNS: dict[str, RcnnPreset] = {
    "mask-rcnn-r101": RcnnPreset(partial(mask_rcnn, backbone="resnet-101"), "Mask R-CNN on ResNet-101, 63 M weights"),
    "mask-rcnn-r50": RcnnPreset(mask_rcnn, "Mask R-CNN on ResNet-50, 44 M weights"),
    "mask-rcnn-vit-b": RcnnPreset(partial(mask_rcnn, backbone="vit-b"), "Mask R-CNN on ViT-B/16, 114 M weights"),
    "mask-rcnn-vit-s": RcnnPreset(partial(mask_rcnn, backbone="vit-s"), "Mask R-CNN on ViT-S/16"),
    "mask-rcnn-vit-t": RcnnPreset(partial(mask_rcnn, backbone="vit-t"), "Mask R-CNN on ViT-T/16, 26 M weights"),
    "mask-rcnn-dit-b": RcnnPreset(partial(mask_rcnn, backbone="dit-b"), "Mask R-CNN on DiT-B/16, 114 M weights"),
    "mask-rcnn-micro": RcnnPreset(
        partial(mask_rcnn, backbone="resnet-micro", width=64, hidden=128, anchor=16, proposals=200, rois=64),
        "micro Mask R-CNN for CPUs, five maps, 64 wide",
    ),
}
