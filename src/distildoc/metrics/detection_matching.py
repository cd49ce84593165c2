"""Matching of found with true boxes as COCO does it, by faster-coco-eval, kept apart by page and class.

Within a page and class the most certain 100 detections take, in falling order of their scores, the free true box they
overlap most, if by at least the threshold. A detection that only meets a crowd box is set aside: neither hit nor miss.
The boxes go through COCO's own form, so that what is scored here is what the files of an evaluation hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval import __version__ as version
from numpy.typing import NDArray

from distildoc.metrics.outcomes import Floats, Integers

IOUS = np.linspace(0.5, 0.95, 10)  # COCO's thresholds: .50, .55, ... .95
MOST = 100  # detections of a page and class that count, as in COCO
EVERY_AREA = [[0.0, 1e10]]  # square pixels; COCO's "all"

Boxes = NDArray[np.float32] | NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrueBoxes:
    """What is on a page: boxes [M, 4] left, top, right, bottom; classes [M]; crowd [M], neither hit nor missed."""

    boxes: Boxes
    classes: Integers
    crowd: Flags


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """What was found on a page: boxes [N, 4] in the same unit, classes [N], scores [N] 0..1, in any order."""

    boxes: Boxes
    classes: Integers
    scores: NDArray[np.float32] | Floats


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """Detections of one class on all pages, in falling order of their scores, equals in the order of the pages.

    scores   [D].
    pages    [D] number of the page.
    hits     [T, D] whether it takes a true box at each threshold of IOUS.
    counted  [T, D] whether it is a hit or a miss there, and not set aside.
    """

    scores: Floats
    pages: Integers
    hits: Flags
    counted: Flags

    def renumbered(self, number: Integers) -> "ClassMatches":
        """The same on other page numbers: `number` [N] gives the new one of every page, -1 where it is left out."""
        pages = number[self.pages]
        kept = np.flatnonzero(pages >= 0)
        kept = kept[np.lexsort((pages[kept], -self.scores[kept]))]
        return ClassMatches(self.scores[kept], pages[kept], self.hits[:, kept], self.counted[:, kept])


def coco_truth(truth: Sequence[TrueBoxes], labels: Sequence[str]) -> dict[str, list[dict[str, object]]]:
    """The true boxes as a COCO data set: image i + 1 is page i, category k + 1 is class k, all numbers from 1."""
    annotations: list[dict[str, object]] = []
    for image, page in enumerate(truth, start=1):
        for box, number, crowd in zip(_xywh(page.boxes), page.classes.tolist(), page.crowd.tolist(), strict=True):
            one = {"id": len(annotations) + 1, "image_id": image, "category_id": number + 1, "bbox": box}
            annotations.append({**one, "area": box[2] * box[3], "iscrowd": int(crowd)})
    return {
        "images": [{"id": image} for image in range(1, len(truth) + 1)],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(labels, start=1)],
    }


def coco_results(found: Sequence[FoundBoxes]) -> list[dict[str, object]]:
    """Detections in COCO's form for results, with the numbers of `coco_truth`."""
    return [
        {"image_id": image, "category_id": number + 1, "bbox": box, "score": score}
        for image, page in enumerate(found, start=1)
        for box, number, score in zip(_xywh(page.boxes), page.classes.tolist(), page.scores.tolist(), strict=True)
    ]


def match(truth: Sequence[TrueBoxes], found: Sequence[FoundBoxes], classes: int) -> tuple[ClassMatches, ...]:
    """One record a class, of as many pages as `truth` and `found` both have."""
    results = coco_results(found)
    if not results:
        nothing = np.zeros((len(IOUS), 0), bool)
        return (ClassMatches(np.zeros(0), np.zeros(0, np.int64), nothing, nothing),) * classes
    data = COCO(coco_truth(truth, [str(number) for number in range(classes)]))
    judge = COCOeval_faster(data, data.loadRes(results), iouType="bbox", separate_eval=True)
    judge.params.areaRng, judge.params.areaRngLbl, judge.params.maxDets = EVERY_AREA, ["all"], [MOST]
    judge.evaluate()
    pieces = [_piece(image.__getstate__(), page % len(truth)) for page, image in enumerate(judge._evalImgs_cpp)]
    return tuple(_joined(pieces[start : start + len(truth)]) for start in range(0, len(pieces), len(truth)))


def _piece(state: tuple[list[float], ...], page: int) -> ClassMatches:
    """One class on one page, from what faster-coco-eval keeps of it: matches, -, scores, -, set aside, -.

    Its records open in no other way; the numbers are those that its own accumulation reads.
    """
    matched, scores, aside = np.array(state[0]), np.array(state[2], np.float64), np.array(state[4], bool)
    if not len(matched) == len(aside) == len(IOUS) * len(scores):
        raise RuntimeError(f"faster-coco-eval {version} keeps its matches in an unknown form; install 1.8.0")
    counted = ~aside.reshape(len(IOUS), -1)
    pages = np.full(len(scores), page, np.int64)
    return ClassMatches(scores, pages, (matched.reshape(counted.shape) > 0) & counted, counted)


def _joined(pieces: Sequence[ClassMatches]) -> ClassMatches:
    scores = np.concatenate([piece.scores for piece in pieces])
    falling = np.argsort(-scores, kind="stable")
    return ClassMatches(
        scores[falling],
        np.concatenate([piece.pages for piece in pieces])[falling],
        np.concatenate([piece.hits for piece in pieces], axis=1)[:, falling],
        np.concatenate([piece.counted for piece in pieces], axis=1)[:, falling],
    )


def _xywh(boxes: Boxes) -> list[list[float]]:
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    found: list[list[float]] = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).tolist()
    return found
