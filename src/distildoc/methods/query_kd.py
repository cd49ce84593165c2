"""Query distillation: each region that the teacher sees is taught to the query of the student that fits it best.

    L_class = sum_{i, c} v_ic KL(p_t[i, c] || p_s[sigma(i), c]) / N          p = sigmoid(z), two outcomes a class
    L_l1    = 5 sum_i w_i | b_t[i] - b_s[sigma(i)] | / N
    L_giou  = 2 sum_i w_i (1 - GIoU(b_t[i], b_s[sigma(i)])) / N

i runs over the teacher's queries: the `top` best of a page that reach `threshold`. sigma pairs them one to one with the
student's (losses/matching.py). No labels are used, so unlabelled pages teach as much as others, and the teacher may
have another number of queries or none at all: what a Mask R-CNN finds is matched the same way.

Paper: Chang et al. 2022, arXiv:2211.10156 (DETRDistill), section 3.1, Hungarian-matching logits distillation; class
term and weights 1, 5, 2 as in its code for sigmoid detectors. `weighting: equal` is that form: v = w = 1, N the number
of pairs, queries of the student without a partner left alone. The default, `weighting: confidence`, differs:

  - w_i = max_c p_t[i, c] and N = max(1, sum_i w_i), as KD-DETR weighs its points (Wang et al. 2022, arXiv:2211.08071).
    It takes the place of the paper's parting into positive and negative predictions, which needs true boxes: what the
    teacher takes for background hardly moves the student's boxes.
  - v = p_t + 0.75 p_s^2 (1 - p_t), the weights of the student's own varifocal loss, so that easy background does not
    drown the rest; 1 - p_t is then unlearnt where the student believes in something that is not there.
  - A query of the student without a partner is background: its scores are pushed down to the best that the teacher
    gave to a query left out, or to 0 where none was. Without this a student that says too much on unlabelled pages
    would never hear of it.

Left out are DETRDistill's teacher of each stage (a View carries the teacher's last layer, which here teaches every
layer of the student with `layers: all`), its feature and query-prior terms, and KD-DETR's queries of its own making.
All terms are 0 where both models agree. It costs one assignment on the CPU a page and layer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.boxes import giou, l1, xyxy
from distildoc.losses.matching import Matches, Weights, match, most_certain
from distildoc.losses.precision import full
from distildoc.losses.scores import binary_kl, logit, varifocal_weight
from distildoc.models.detectors.detr import DecoderHead
from distildoc.schema.errors import ConfigError

TASKS = ("detection",)
KIND: Kind = "logits"
PAPER = Paper(
    "Chang et al.",
    2022,
    "2211.10156",
    "DETRDistill: A Universal Knowledge Distillation Framework for DETR-families",
)
NOTHING = logit(0.0)  # logit of a class that is not there


@dataclass(frozen=True)
class QueryKD:
    """weights    of class, L1 and GIoU, in the assignment and in the losses.
    top, threshold  which queries of the teacher count.
    layers     which of the student's decoder layers learn.
    confident  True: weighed by the teacher's confidence, and lone queries are background; False: DETRDistill's form.
    """

    weights: Weights
    top: int
    threshold: float
    layers: Literal["last", "all"]
    confident: bool
    needs: ClassVar[Needs] = Needs()

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        wanted = one(teacher).outputs["logits"], one(teacher).outputs["boxes"]
        chosen = most_certain(*wanted, top=self.top, threshold=self.threshold)
        totals: dict[str, Tensor] = {}
        for found in _layers(student.outputs, self.layers):
            matches = match(wanted, found, chosen=chosen, weights=self.weights)
            for name, loss in self._losses(wanted, found, matches, chosen).items():
                totals[name] = totals[name] + loss if name in totals else loss
        return totals

    def _losses(
        self, wanted: tuple[Tensor, Tensor], found: tuple[Tensor, Tensor], matches: Matches, chosen: Tensor
    ) -> Losses:
        """Of one layer, with their weights."""
        pages, own, theirs = matches
        logits, boxes = full(wanted[0][pages, theirs]), full(wanted[1][pages, theirs])
        share = logits.amax(-1).sigmoid() if self.confident else torch.ones_like(logits[..., 0])
        number = share.sum().clamp(min=1)
        placed = full(found[1][pages, own])
        overlap = giou(xyxy(boxes), xyxy(placed))
        classes = self._classes(logits, found[0], matches, _left_out(wanted[0], chosen))
        return {
            "class": self.weights.classes * classes / number,
            "l1": self.weights.l1 * (share * l1(boxes, placed)).sum() / number,
            "giou": self.weights.giou * (share * (1 - overlap)).sum() / number,
        }

    def _classes(self, logits: Tensor, found: Tensor, matches: Matches, background: Tensor) -> Tensor:
        """Sum of the class term over queries and classes."""
        found = full(found)
        if not self.confident:
            return binary_kl(logits, found[matches.pages, matches.students]).sum()
        target = torch.minimum(found.detach(), background[:, None, None])
        target = target.index_put((matches.pages, matches.students), logits.to(target))
        return (varifocal_weight(target, found) * binary_kl(target, found)).sum()


def build(
    pair: Pair,
    *,
    class_weight: NonNegativeFloat = 1.0,
    l1_weight: NonNegativeFloat = 5.0,
    giou_weight: NonNegativeFloat = 2.0,
    top: PositiveInt = 100,
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    layers: Literal["last", "all"] = "all",
    weighting: Literal["confidence", "equal"] = "confidence",
) -> Method:
    """top: teacher's queries that count on a page; threshold: least score of one, e.g. 0.3 for clear regions alone."""
    if not isinstance(pair.student.head, DecoderHead):
        raise ConfigError(
            f"query_kd teaches the queries of a student of the DETR family, and this one has another head "
            f"({type(pair.student.head).__name__}); use pseudo_labels, or a D-FINE or RT-DETR student"
        )
    return QueryKD(
        Weights(class_weight, l1_weight, giou_weight), top, threshold, layers, confident=weighting == "confidence"
    )


def _layers(outputs: Mapping[str, Tensor], layers: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits and boxes of the student's decoder layers; the last alone where it gives no others (evaluation)."""
    if layers == "last" or "layers/logits" not in outputs:
        yield outputs["logits"], outputs["boxes"]
        return
    yield from zip(outputs["layers/logits"].unbind(1), outputs["layers/boxes"].unbind(1), strict=True)


def _left_out(logits: Tensor, chosen: Tensor) -> Tensor:
    """The best logit of the queries of each page that were not chosen, [B]; that of score 0 where all were."""
    best = full(logits).amax(-1).masked_fill(chosen, NOTHING)
    return best.amax(1).clamp(min=NOTHING)
