"""COCO's mean average precision of found boxes, of all pages and of any resample of them.

    AP(class, IoU) = mean over recall r in {0, .01, ... 1} of the largest precision at a recall of at least r
    mAP = mean over the classes that have true boxes, and the IoUs .50, .55, ... .95, of AP

Lin et al. 2014, arXiv:1405.0312, and its reference code, pycocotools. Pages are matched once (detection_matching); a
page drawn k times then counts k times, so that a resample costs no matching. Detections of equal score stay in the
order of the pages, as in the reference.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from distildoc.metrics.detection_matching import IOUS, Boxes, ClassMatches, Flags, FoundBoxes, TrueBoxes, match
from distildoc.metrics.outcomes import Floats, Integers

RECALLS = np.linspace(0, 1, 101)
ROOM = 2**22  # weights of detections held at once; 32 MB


@dataclass(frozen=True, eq=False)
class LayoutOutcomes:
    """What the scores read of N pages of C classes.

    true     [N, C] how many true boxes, crowds aside.
    classes  the matches of each class.
    digests  one a page, of its true boxes: the same where the truth is the same.
    """

    labels: tuple[str, ...]
    true: Floats
    classes: tuple[ClassMatches, ...]
    digests: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.digests)

    def same_pages(self, other: "LayoutOutcomes") -> bool:
        """Whether both are about the same true boxes of the same pages in the same order."""
        return self.labels == other.labels and self.digests == other.digests

    def select(self, rows: Integers | Flags) -> "LayoutOutcomes":
        """The outcomes of some pages, each at most once."""
        chosen = np.flatnonzero(rows) if rows.dtype == bool else rows
        number = np.full(len(self), -1)
        number[chosen] = np.arange(len(chosen))
        classes = tuple(one.renumbered(number) for one in self.classes)
        return LayoutOutcomes(self.labels, self.true[chosen], classes, tuple(self.digests[i] for i in chosen))

    @cached_property
    def whole(self) -> Floats:
        """AP of every IoU and class on all pages, [T, C]; NaN where a class has no true box."""
        return np.asarray(average_precisions(self, np.ones((1, len(self))))[0])


def layout_outcomes(truth: Sequence[TrueBoxes], found: Sequence[FoundBoxes], labels: Sequence[str]) -> LayoutOutcomes:
    """Match page by page; `truth` and `found` are about the same pages in the same order.

    Raises ValueError where lengths or shapes do not fit, a class is out of range, or a number is not finite.
    """
    if len(truth) != len(found) or not truth:
        raise ValueError(f"true and found boxes of the same pages are wanted, got {len(truth)} and {len(found)} pages")
    for number, (one, other) in enumerate(zip(truth, found, strict=True)):
        _check(one.boxes, one.classes, one.crowd, where=f"true boxes of page {number}", most=len(labels))
        _check(other.boxes, other.classes, other.scores, where=f"found boxes of page {number}", most=len(labels))
    counts = [np.bincount(page.classes[~page.crowd], minlength=len(labels)) for page in truth]
    return LayoutOutcomes(
        tuple(labels), np.array(counts, np.float64), match(truth, found, len(labels)), tuple(map(_digest, truth))
    )


def average_precisions(found: LayoutOutcomes, counts: Floats, ious: slice = slice(None)) -> Floats:
    """AP [R, T, C] of every draw, for the thresholds IOUS[ious]; NaN where a draw has no true box of a class.

    `counts` [R, N] are whole numbers.
    """
    result = np.full((len(counts), len(IOUS[ious]), len(found.classes)), np.nan)
    needed = counts @ found.true  # [R, C]
    for column, one in enumerate(found.classes):
        rows = max(1, ROOM // max(1, len(one.scores)))
        for start in range(0, len(counts), rows):
            some = slice(start, start + rows)
            result[some, :, column] = _class_precisions(one, counts[some], needed[some, column], ious)
    result[np.broadcast_to(needed[:, None] == 0, result.shape)] = np.nan
    return result


def maps(found: LayoutOutcomes, counts: Floats) -> Floats:
    """Mean average precision at IoU .50 to .95 of every draw [R]."""
    return _mean(average_precisions(found, counts))


def ap50s(found: LayoutOutcomes, counts: Floats) -> Floats:
    """Mean average precision at IoU .50 of every draw [R]."""
    return _mean(average_precisions(found, counts, slice(0, 1)))


def ap75s(found: LayoutOutcomes, counts: Floats) -> Floats:
    """Mean average precision at IoU .75 of every draw [R]."""
    return _mean(average_precisions(found, counts, slice(5, 6)))


def layout_map(truth: Sequence[TrueBoxes], found: Sequence[FoundBoxes], labels: Sequence[str]) -> float:
    """COCO mAP@[.50:.95], 0..1; NaN where there is no true box at all.

    >>> box, one = np.array([[0.0, 0.0, 8.0, 8.0]]), np.array([0])
    >>> found = layout_map([TrueBoxes(box, one, np.array([False]))], [FoundBoxes(box, one, np.array([0.9]))], ["table"])
    >>> round(found, 12)  # COCO adds 2e-16 to the number of detections
    1.0
    """
    return map_of(layout_outcomes(truth, found, labels))


def map_of(found: LayoutOutcomes) -> float:
    """COCO mAP@[.50:.95] of the pages as they are, 0..1; NaN where there is no true box at all."""
    return float(maps(found, np.ones((1, len(found))))[0])


def steps(right: Floats, seen: Floats, needed: Floats) -> tuple[Floats, Floats]:
    """The curve of precision over recall, hit by hit, of draws whose hits so far are [R, P] among `seen` detections.

    Gives the largest precision [R, P] from each hit on, and at how many of RECALLS it is the one that counts [R, P].
    Precision peaks right at a hit, so that all other detections need no look.
    """
    precision = right / (seen + np.spacing(1))
    largest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = right / np.maximum(needed, 1)[:, None]
    reached = np.floor(recall * 100).astype(np.int64)  # the last of RECALLS that is not above, up to rounding
    reached += RECALLS[np.minimum(reached + 1, 100)] <= recall
    reached = np.minimum(reached, 100) - (RECALLS[np.minimum(reached, 100)] > recall)
    return largest, np.diff(reached + 1, axis=1, prepend=0).astype(np.float64)


def _class_precisions(one: ClassMatches, counts: Floats, needed: Floats, ious: slice) -> Floats:
    """AP [R, T] of one class."""
    drawn = counts[:, one.pages]
    hits, counted = one.hits[ious], one.counted[ious]
    result = np.zeros((len(counts), len(hits)))
    seen = np.cumsum(drawn * counted[0], axis=1)
    for row in range(len(hits)):
        if row and not np.array_equal(counted[row], counted[row - 1]):
            seen = np.cumsum(drawn * counted[row], axis=1)
        elif row and np.array_equal(hits[row], hits[row - 1]):
            result[:, row] = result[:, row - 1]
            continue
        here = np.flatnonzero(hits[row])
        if len(here):
            largest, points = steps(np.cumsum(drawn[:, here], axis=1), seen[:, here], needed)
            result[:, row] = (largest * points).sum(1) / len(RECALLS)
    return result


def _mean(precisions: Floats) -> Floats:
    """Mean over IoUs and the classes a draw holds [R]; NaN where it holds none."""
    known = np.isfinite(precisions)
    total, number = np.where(known, precisions, 0).sum((1, 2)), known.sum((1, 2))
    means: Floats = np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)
    return means


def _check(boxes: Boxes, classes: Integers, third: NDArray[np.generic], *, where: str, most: int) -> None:
    """Boxes [N, 4], classes [N] below `most`, and one more value each."""
    if boxes.shape != (len(classes), 4) or third.shape != classes.shape or classes.ndim != 1:
        raise ValueError(f"{where}: boxes {boxes.shape}, classes {classes.shape} and {third.shape} do not fit")
    if len(classes) and not 0 <= classes.min() <= classes.max() < most:
        raise ValueError(f"{where}: classes from 0 to {most - 1} are wanted, got {classes.min()} to {classes.max()}")
    if not np.isfinite(boxes).all() or not np.isfinite(third.astype(np.float64)).all():
        raise ValueError(f"{where}: a box or score is not a finite number")


def _digest(page: TrueBoxes) -> bytes:
    digest = hashlib.sha256()
    for part in (np.asarray(page.boxes, "<f8"), np.asarray(page.classes, "<i8"), np.asarray(page.crowd, "<i8")):
        digest.update(part.tobytes())
    return digest.digest()[:16]


LAYOUT_SCORES: Mapping[str, Callable[[LayoutOutcomes, Floats], Floats]] = {"map": maps, "ap50": ap50s, "ap75": ap75s}
