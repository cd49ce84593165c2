"""Localisation distillation: the teacher's doubt about each edge of a box, not only where it puts it.

    L = sum_i w_i mean_{4 edges} r T^2 KL( p~_t^(1/T) / Z || softmax(u_s / T) ) / max(1, sum_i p_i)
    p~_t = softmax(u_t), moved into the student's frame          w_i = p_i IoU(b_t[i], b_s[sigma(i)])

u are a D-FINE head's logits over the bins of an edge, i the teacher's queries (the `top` best of a page that reach
`threshold`), sigma their partners in the student (losses/matching.py), p_i the teacher's confidence. Pages need no
labels.

Papers: Zheng et al. 2021, arXiv:2102.12252 (LD), equation 3, where teacher and student share anchors and bins; Peng et
al. 2024, arXiv:2410.13842 (D-FINE), whose own self-distillation (GO-LSD) is this loss between the decoder's layers of
one model, with T = 5 and weights of confidence and IoU. Two models have reference boxes of their own, and offsets from
different boxes name different places. So each bin of the teacher is taken as the place on the page that it stands for,
and its mass is given to the two bins of the student beside it, which leaves the expected edge where it was
(losses/edges.py). Softening comes after, because softening first would move the edge; with equal references and bins
the formula is LD's to the letter, and heads with another number of bins, `up` or `reg_scale` are compared all the
same. r, the share of the teacher's mass that the student's bins reach, lets go of edges that cannot be said in the
student's frame; it is 1 for equal references.

We differ from LD in the choice of places: matched queries in the place of its anchors in the valuable region; and from
GO-LSD in leaving the student's own layers to D-FINE's loss, which already aligns them. Only the last layer is taught.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor
from transformers.loss.loss_d_fine import weighting_function

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.boxes import iou, xyxy
from distildoc.losses.edges import Frame, moved_offsets, rebinned, tempered_kl
from distildoc.losses.matching import Matches, Weights, match, most_certain
from distildoc.losses.precision import full
from distildoc.models.detectors.detr import DecoderHead
from distildoc.schema.errors import ConfigError

TASKS = ("detection",)
KIND: Kind = "logits"
PAPER = Paper("Zheng et al.", 2021, "2102.12252", "Localization Distillation for Dense Object Detection")
FAMILY = "d_fine"  # of transformers: the detectors that give distributions of edges


@dataclass(frozen=True)
class EdgeKD:
    """frames  what the bins of the teacher's and of the student's head mean.
    top, threshold  which queries of the teacher count.
    """

    frames: tuple[Frame, Frame]
    temperature: float
    top: int
    threshold: float
    needs: ClassVar[Needs] = Needs()

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        theirs, own = one(teacher).outputs, student.outputs
        wanted, found = (theirs["logits"], theirs["boxes"]), (own["logits"], own["boxes"])
        chosen = most_certain(*wanted, top=self.top, threshold=self.threshold)
        matches = match(wanted, found, chosen=chosen, weights=Weights())
        confidence = full(theirs["logits"][matches.pages, matches.teachers]).amax(-1).sigmoid()
        values = confidence * _overlaps(theirs["boxes"], own["boxes"], matches) * self._distances(theirs, own, matches)
        return {"edges": values.sum() / confidence.sum().clamp(min=1)}

    def _distances(self, teacher: Mapping[str, Tensor], student: Mapping[str, Tensor], matches: Matches) -> Tensor:
        """The mean over the four edges of each pair, [N]."""
        pages, own, theirs = matches
        mass, logits = _bins(teacher["corners"][pages, theirs]).softmax(-1), _bins(student["corners"][pages, own])
        references = teacher["references"][pages, theirs], student["references"][pages, own].detach()
        moved, reached = rebinned(mass, moved_offsets(*references, frames=self.frames), self.frames[1].offsets)
        return (reached * tempered_kl(moved, logits, temperature=self.temperature)).mean(-1)


def build(
    pair: Pair,
    *,
    temperature: PositiveFloat = 5.0,
    top: PositiveInt = 100,
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.05,
) -> Method:
    """temperature: softens both distributions; top: teacher's queries that count on a page; threshold: least score."""
    frames = _frame(pair.require_teacher("edge_kd"), "teacher"), _frame(pair.student, "student")
    return EdgeKD(frames, temperature, top, threshold)


def _frame(model: Model, who: str) -> Frame:
    """What the bins of a D-FINE decoder mean, with the values that it runs with."""
    head = model.head
    if not isinstance(head, DecoderHead) or head.config.model_type != FAMILY:
        raise ConfigError(
            f"edge_kd compares the distributions of edges that D-FINE heads give, and the {who} has another head "
            f"({type(head).__name__}); use query_kd, or D-FINE for both"
        )
    up, scale = (head.network.get_parameter(f"decoder.{name}").detach().cpu() for name in ("up", "reg_scale"))
    offsets: Tensor = weighting_function(int(head.config.max_num_bins), up, scale)
    return Frame(offsets, abs(float(scale)))


def _bins(corners: Tensor) -> Tensor:
    """[N, 4 * (bins + 1)] to [N, 4, bins + 1], in full precision."""
    return full(corners).reshape(len(corners), 4, corners.shape[-1] // 4)


def _overlaps(teacher: Tensor, student: Tensor, matches: Matches) -> Tensor:
    """IoU of the boxes of each pair, [N], without gradient."""
    return iou(xyxy(teacher[matches.pages, matches.teachers]), xyxy(student[matches.pages, matches.students].detach()))
