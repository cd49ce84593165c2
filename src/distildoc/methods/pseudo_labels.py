"""Pseudo-labels: on pages that nobody labelled, what the teacher is sure of takes the place of true regions.

    L = L_student( x ; { (b_t, c_t) : p_t = max_c sigmoid(z_t) >= tau_c } )

L_student is the student's own loss, as on labelled pages. tau_c is a score a class: the thresholds chosen on validation
pages (`Pair.thresholds`), or one `threshold` for all. Before the student sees a batch, pages of origin UNKNOWN get the
teacher's regions as targets of origin PSEUDO; labelled pages are not touched. Beside it, add the term `supervised`.

Paper: Sohn et al. 2020, arXiv:2005.04757 (STAC): confident regions of a fixed teacher, after removing duplicates, are
the targets of the student. For pages: PP-DocLayout (Sun et al. 2025, arXiv:2503.17213) trains its M and S models on
regions of its L model with a threshold a class. We differ from STAC in that teacher and student see the same augmented
page, and in these:

  - a class without a threshold gives no pseudo-labels, and one chosen below `least` is raised to it: the best F1 of a
    class that a teacher hardly knows lies where most of its regions are wrong;
  - of regions that overlap by more than `overlap` IoU only the most certain is kept, whatever the classes: detectors of
    the DETR family name one box twice rather than shift it;
  - a page on which nothing is certain stays UNKNOWN: it is rather hard than blank, so nothing is learnt from it.

A batch without pages of unknown layout, or without a certain region on them, gives 0 with a gradient of 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor
from torch.nn.functional import pad

from distildoc.core.batch import PSEUDO, UNKNOWN, UNLABELLED, Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.boxes import cxcywh, xyxy
from distildoc.losses.precision import full
from distildoc.models.detectors.rcnn.nms import greedy_keep
from distildoc.schema.errors import ConfigError, closest

TASKS = ("detection",)
KIND: Kind = "labels"
PAPER = Paper("Sohn et al.", 2020, "2005.04757", "A Simple Semi-Supervised Learning Framework for Object Detection")
PREFIX = "pseudo/"
Found = tuple[Tensor, Tensor]  # boxes [N, 4] cxcywh and classes [N] of one page


@dataclass(frozen=True)
class PseudoLabels:
    """thresholds  score a class, in the order of the student's labels; more than 1 keeps none of a class.
    most        regions kept on a page.
    smallest    least width and height of one, in shares of the network input.
    overlap     IoU above which the less certain of two regions is dropped.
    """

    thresholds: tuple[float, ...]
    most: int
    smallest: float
    overlap: float
    needs: ClassVar[Needs] = Needs()

    def adapt(self, student: Model) -> Model:
        return student

    def relabel(self, batch: Batch, teacher: View | Sequence[View]) -> Batch:
        """The batch with pseudo-labels on its unlabelled pages; the same batch where there are none to give."""
        origin = batch.targets["origin"]
        unknown = (origin == UNKNOWN).nonzero().squeeze(1).tolist()
        outputs = one(teacher).outputs
        regions = {page: self._regions(outputs["logits"][page], outputs["boxes"][page]) for page in unknown}
        regions = {page: found for page, found in regions.items() if len(found[1])}
        return replace(batch, targets={**batch.targets, **_with(regions, batch.targets)}) if regions else batch

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        found = {name.removeprefix(PREFIX): x for name, x in student.outputs.items() if name.startswith(PREFIX)}
        if found:
            return found
        own = {name.removeprefix("loss/"): x for name, x in student.outputs.items() if name.startswith("loss/")}
        return {name: value * 0.0 for name, value in own.items()}

    def _regions(self, logits: Tensor, boxes: Tensor) -> Found:
        """The certain regions of a page, the most certain first."""
        scores, classes = full(logits.detach()).sigmoid().max(-1)
        boxes = cxcywh(xyxy(boxes.detach()).clamp(0, 1))  # D-FINE's boxes may leave the page
        certain = scores >= torch.tensor(self.thresholds, device=scores.device)[classes]
        certain &= (boxes[:, 2:] >= self.smallest).all(-1)
        order = scores.argsort(descending=True, stable=True)
        kept = greedy_keep(xyxy(boxes[order])[None], valid=certain[order][None], threshold=self.overlap)[0]
        best = order[kept][: self.most]
        return boxes[best], classes[best]


def build(
    pair: Pair,
    *,
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None,
    least: Annotated[float, Field(ge=0, lt=1)] = 0.3,
    most: PositiveInt = 100,
    smallest: Annotated[float, Field(ge=0, lt=1)] = 0.004,
    overlap: Annotated[float, Field(gt=0, le=1)] = 0.7,
) -> Method:
    """threshold: least score of a region, null for those chosen on validation pages, of which none goes below `least`;
    most: regions on a page; smallest: width and height in shares of the page; overlap: IoU of duplicates.
    """
    labels = pair.student.labels
    if pair.task.name != "detection":
        raise ConfigError(f"pseudo_labels gives pages regions, and the task is {pair.task.name}; use it for detection")
    if threshold is not None:
        return PseudoLabels((threshold,) * len(labels), most, smallest, overlap)
    if not pair.thresholds:
        raise ConfigError(
            "pseudo_labels needs to know which of the teacher's regions are certain, and no thresholds were chosen on "
            "validation pages; set `threshold`, e.g. to 0.5"
        )
    if strange := [name for name in pair.thresholds if name not in labels]:
        raise ConfigError(
            f"pseudo_labels: no class '{strange[0]}' to set a threshold for; {closest(strange[0], labels)}"
        )
    chosen = tuple(max(least, pair.thresholds.get(name, 2.0)) for name in labels)
    return PseudoLabels(chosen, most, smallest, overlap)


def _with(regions: Mapping[int, Found], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The targets of layouts with the regions of some pages put in, as certain ones, padded as far as needed."""
    boxes, classes, origin = targets["boxes"], targets["classes"], targets["origin"].clone()
    more = max(0, max(len(found) for _, found in regions.values()) - classes.shape[1])
    boxes, classes = pad(boxes, (0, 0, 0, more)).clone(), pad(classes, (0, more), value=UNLABELLED).clone()
    for page, (places, names) in regions.items():
        boxes[page], classes[page], origin[page] = 0, UNLABELLED, PSEUDO
        boxes[page, : len(names)] = places.to(boxes)
        classes[page, : len(names)] = names
    found = {"boxes": boxes, "classes": classes, "origin": origin}
    if "scores" not in targets:
        return found
    scores = pad(targets["scores"], (0, more), value=1.0).clone()
    scores[list(regions)] = 1.0
    return {**found, "scores": scores}
