"""Verify a layout bundle: does it find what the student finds, on real pages?

Two runtimes may order regions of nearly equal score differently, and pick other ones at the end of the list, so the
answers are compared as sets: a region is found again where the other side has one of the same class in the same place
with the same score.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from distildoc.core.model import Detector
from distildoc.export.detector_onnx import Regions
from distildoc.export.verified import TOLERANCE, check_origin, write_result
from distildoc.models.detectors.decode import LEAST
from distildoc.predict.decoding import pixels_of
from distildoc.predict.layout import Found, OnnxLayout, load_layout
from distildoc.predict.postprocess import overlaps
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.preprocess import to_network_input
from distildoc.schema.sources import page_size

SAME_PLACE = 0.95  # IoU; runtimes differ by hundredths of a pixel
ENOUGH = 0.98  # share of regions found again; ties in the choice of queries may swap a few
COMPARED = 50  # regions a page and side, the most certain ones


@dataclass(frozen=True)
class LayoutVerification:
    """How far bundle and student are apart.

    pages, failed     compared, and left out because they cannot be read.
    regions           compared: the most certain ones of both sides.
    matched           share of them found again on the other side, 0..1.
    score_difference  largest difference of a score between regions of one class in one place.
    """

    bundle: str
    pages: int
    failed: int
    regions: int
    matched: float
    score_difference: float
    tolerance: float
    passed: bool


@dataclass
class _Tally:
    regions: int = 0
    matched: int = 0
    difference: float = 0.0

    def add(self, ours: Found, theirs: Found, tolerance: float) -> None:
        """Look for the most certain regions of one side on the other."""
        labels, boxes, scores = ours[0][:COMPARED], ours[1][:COMPARED], ours[2][:COMPARED]
        placed = (overlaps(boxes, theirs[1]) >= SAME_PLACE) & (labels[:, None] == theirs[0][None])
        apart = np.where(placed, np.abs(scores[:, None] - theirs[2][None]), np.inf).min(1, initial=np.inf)
        self.regions += len(labels)
        self.matched += int((apart <= tolerance).sum())
        self.difference = max([self.difference, *apart[np.isfinite(apart)].tolist()])


def verify_layout(
    folder: str | Path, model: Detector, pages: Iterable[Page | FailedPage], *, tolerance: float = TOLERANCE
) -> LayoutVerification:
    """Compare a bundle with its student on pages; the result is written to verify.json in the bundle.

    Fails where less than ENOUGH of the regions are found again with a score within `tolerance`. Raises InputError on
    drift, for a bundle of another student, or where no page can be read.
    """
    predictor = load_layout(folder)
    check_origin(predictor.bundle, model, str(folder))
    tally, compared, failed = _compare(predictor, model, pages, tolerance)
    if not compared:
        raise InputError(f"{folder}: nothing to verify on: none of {failed} pages can be read")
    share = tally.matched / tally.regions if tally.regions else 1.0
    found = LayoutVerification(
        bundle=predictor.bundle.id,
        pages=compared,
        failed=failed,
        regions=tally.regions,
        matched=share,
        score_difference=tally.difference,
        tolerance=tolerance,
        passed=share >= ENOUGH,
    )
    write_result(folder, asdict(found))
    if not found.passed:
        raise InputError(
            f"{folder}: drift: on {compared} pages only {share:.1%} of {tally.regions} regions are found again with a "
            f"score within {tolerance:g} (needed {ENOUGH:.0%}); export the student again"
        )
    return found


def _compare(
    predictor: OnnxLayout, model: Detector, pages: Iterable[Page | FailedPage], tolerance: float
) -> tuple[_Tally, int, int]:
    """What both say of each page, the number of pages, and that of unreadable ones."""
    tally, compared, failed, training = _Tally(), 0, 0, model.training
    student = Regions(model, predictor.bundle.pixels).eval()
    for page in pages:
        inputs = _inputs(predictor, page)
        if inputs is None:
            failed += 1
            continue
        compared += 1
        ours, theirs = _first(predictor.run(*inputs)), _first(_student(student, *inputs))
        tally.add(ours, theirs, tolerance)
        tally.add(theirs, ours, tolerance)
    model.train(training)
    return tally, compared, failed


def _inputs(predictor: OnnxLayout, page: Page | FailedPage) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    pixels = pixels_of(page, predictor.bundle.pixels)
    if isinstance(pixels, FailedPage) or isinstance(page, FailedPage):
        return None
    return to_network_input(pixels[None]), np.array([page_size(page)], np.int64)


def _student(student: Regions, pixels: NDArray[np.float32], sizes: NDArray[np.int64]) -> Found:
    device = next(student.parameters()).device
    with torch.no_grad():
        found = student(torch.from_numpy(pixels).to(device), torch.from_numpy(sizes).to(device))
    labels, boxes, scores = (part.cpu().numpy() for part in found)
    return labels, boxes, scores


def _first(found: Found) -> Found:
    """Of the only page of a batch, without rows that say nothing."""
    labels, boxes, scores = found[0][0], found[1][0], found[2][0]
    there = scores > LEAST
    return labels[there], boxes[there], scores[there]
