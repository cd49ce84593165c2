"""From what a detector says to what people see: thresholds by class, overlaps, boxes within the page. NumPy alone."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from distildoc.schema.bundle import DEFAULT_THRESHOLD
from distildoc.schema.predictions import Layout

Boxes = NDArray[np.float32]


def postprocess(layout: Layout, *, thresholds: Mapping[str, float], nms_iou: float | None = None) -> Layout:
    """The regions worth showing, the most certain first.

    thresholds  least score by class; a class that is not named has DEFAULT_THRESHOLD.
    nms_iou     of two regions, whatever their classes, whose IoU is above this the less certain one is dropped: a
                place on a page has one meaning. None keeps both.
    """
    least = np.array([thresholds.get(label, DEFAULT_THRESHOLD) for label in layout.labels], np.float32)
    order = np.argsort(-layout.scores, kind="stable")
    order = order[layout.scores[order] >= least[layout.classes[order]]]
    order = order[_areas(layout.boxes[order]) > 0]
    if nms_iou is not None:
        order = order[non_maximum_suppression(layout.boxes[order], nms_iou)]
    return replace(layout, boxes=layout.boxes[order], classes=layout.classes[order], scores=layout.scores[order])


def non_maximum_suppression(boxes: Boxes, iou: float) -> NDArray[np.int64]:
    """Positions of the boxes ([N, 4], most certain first) that overlap no kept box before them by more than `iou`."""
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left):
        first, rest = left[0], left[1:]
        kept.append(int(first))
        left = rest[overlaps(boxes[first : first + 1], boxes[rest])[0] <= iou]
    return np.array(kept, np.int64)


def overlaps(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """[N, M] intersection over union of boxes [N, 4] and [M, 4] (left, top, right, bottom); 0 where both are empty."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.maximum(high - low, 0).prod(2)
    union = _areas(first)[:, None] + _areas(second)[None] - common
    found: NDArray[np.float32] = common / np.maximum(union, np.finfo(np.float32).tiny)
    return found


def _areas(boxes: Boxes) -> NDArray[np.float32]:
    areas: NDArray[np.float32] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(1)
    return areas
