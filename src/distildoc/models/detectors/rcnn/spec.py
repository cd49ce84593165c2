"""What a Mask R-CNN head is made of, and how it is rebuilt from plain JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import cast

from distildoc.schema.errors import InputError, closest

KIND = "rcnn"
LARGEST = 1 << 16  # of any number in a description; one that asks for more is not one of ours


@dataclass(frozen=True)
class RcnnSpec:
    """Sizes and thresholds; the defaults are Detectron2's for Mask R-CNN with a feature pyramid.

    classes       without background.
    channels      of the maps.
    hidden        width of the two layers of the box branch.
    mask_depth    convolutions of the mask branch; 0: no masks, i.e. Faster R-CNN.
    mask_width    their channels.
    anchor        side in px of the smallest square anchor.
    before_train  proposals a map before suppression while training.
    before        the same otherwise.
    after         proposals a page after suppression.
    rois          proposals a page that the second stage learns from, a quarter of them on regions.
    samples       points per bin and axis of RoIAlign.
    candidates    (box, class) pairs a page that suppression compares at the end, the surest ones.
    detections    regions a page at most.
    score         regions below this score are left out.
    overlap       of two regions of a class that overlap by more (IoU), the less certain one goes.
    """

    classes: int
    channels: int = 256
    hidden: int = 1024
    mask_depth: int = 4
    mask_width: int = 256
    anchor: int = 32
    before_train: int = 2000
    before: int = 1000
    after: int = 1000
    rois: int = 512
    samples: int = 2
    candidates: int = 1000
    detections: int = 100
    score: float = 0.05
    overlap: float = 0.5

    def to_json(self) -> dict[str, object]:
        return {"kind": KIND, **asdict(self)}


def read_spec(content: Mapping[str, object]) -> RcnnSpec:
    """The inverse of `to_json`; raises InputError where a key is unknown or a number out of range."""
    known = {field.name: field.type for field in fields(RcnnSpec)}
    values = {key: value for key, value in content.items() if key != "kind"}
    for key, value in values.items():
        if key not in known:
            raise InputError(f"model description: unknown `head.{key}`; {closest(key, known)}")
        whole = known[key] is int
        low, high = (0, LARGEST) if key == "mask_depth" else (1, LARGEST) if whole else (0, 1)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not low <= value <= high:
            raise InputError(f"model description: `head.{key}` must be a number from {low} to {high}, got {value!r}")
    if "classes" not in values:
        raise InputError("model description: `head.classes` is missing")
    return RcnnSpec(**cast(dict[str, int], values))
