"""Scores of a detector on the batches of a loader, for choosing among its states while it trains.

Boxes are compared in shares of the network input. IoU does not change when an axis is scaled, so the score is the one
in pixels, but for regions found in the padding of a page (`fit: pad`), which are cut off there and not here.
"""

import numpy as np
from torch import Tensor

from distildoc.core.batch import TRUE, UNLABELLED, Batch
from distildoc.core.model import Detector
from distildoc.data.loader import Loader
from distildoc.evaluate.torch_detector import detect
from distildoc.metrics.detection import LayoutOutcomes, layout_outcomes, map_of
from distildoc.metrics.detection_curves import best_thresholds
from distildoc.metrics.detection_matching import FoundBoxes, TrueBoxes
from distildoc.models.detectors.decode import LIMIT
from distildoc.schema.errors import InputError


def layout_score(model: Detector, loader: Loader) -> float:
    """COCO mAP@[.50:.95], 0..1, on the first epoch of a loader with box targets.

    Raises InputError where no page has a known layout with at least one region.
    """
    return map_of(outcomes_on(model, loader))


def thresholds_on(model: Detector, loader: Loader) -> dict[str, float]:
    """For every class the least score with the best F1 at IoU .50 on the first epoch of a loader with box targets.

    0.5 for a class that has no region there, or none that is found. Raises InputError as `layout_score`.
    """
    return best_thresholds(outcomes_on(model, loader))


def outcomes_on(model: Detector, loader: Loader, *, limit: int = LIMIT) -> LayoutOutcomes:
    """Matches on the first epoch of a loader with box targets; pages whose layout is not known are passed over."""
    truth: list[TrueBoxes] = []
    found: list[FoundBoxes] = []
    for batch in loader.epoch(0):
        known = (batch.targets["origin"] == TRUE).nonzero().flatten()
        if len(known):
            some = batch.select(known)
            truth += true_boxes(some)
            found += [_within(page) for page in detect(model, some.inputs, limit=limit)]
    if not any(len(page.classes) for page in truth):
        raise InputError(f"{loader.pages.name}: no region on {len(truth)} pages with a known layout, nothing to score")
    return layout_outcomes(truth, found, loader.labels)


def true_boxes(batch: Batch) -> list[TrueBoxes]:
    """The targets of a batch as boxes left, top, right, bottom in shares of the input."""
    return [_page(*rows) for rows in zip(batch.targets["boxes"], batch.targets["classes"], strict=True)]


def _page(boxes: Tensor, classes: Tensor) -> TrueBoxes:
    here = classes != UNLABELLED
    middle, size = boxes[here].double().cpu().numpy().reshape(-1, 2, 2).transpose(1, 0, 2)
    corners = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
    return TrueBoxes(corners, classes[here].cpu().numpy(), np.zeros(len(corners), bool))


def _within(page: FoundBoxes) -> FoundBoxes:
    return FoundBoxes(np.clip(np.asarray(page.boxes, np.float32), 0, 1), page.classes, page.scores)
