"""RoI distillation: in the boxes that the teacher proposes, the student learns which class and edges the teacher sees.

    L_class = mean_r T^2 KL( softmax(z_t[r] / T) || softmax(z_s[r] / T) )           background is one of the classes
    L_box   = mean_r (1 - p_t[r, background]) | d_t[r, k] - d_s[r, k] |_1           k: the teacher's best class at r

r runs over the `top` surest proposals of the teacher on each page; z and d are class logits and offsets of the second
stage. The proposals join the targets of the batch before the student sees it, and the student's second stage reads its
own maps there. No labels are used, so pages without any teach as much as others. What the teacher is unsure of is
taught as unsure, where `pseudo_labels` must decide.

Paper: Tang et al. 2021, arXiv:2106.10456 (Humble Teacher): soft labels on many proposals of the teacher in place of
hard ones on a few regions. We differ in these:

  - the teacher is another, larger model that stays as it is, where theirs is the moving average of the student; both
    see the same augmented page;
  - a box counts by the teacher's belief that there is a region at all, and for the teacher's best class alone;
  - the proposal network is left to the labels, or to `pseudo_labels` beside this term: teacher and student may then
    have other anchors.

Teacher and student are two-stage detectors (Faster or Mask R-CNN) of the same classes, in any order. Both losses are 0
where they agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.logits import kl_from_logits
from distildoc.losses.precision import full
from distildoc.models.detectors.lent import bare_head
from distildoc.models.detectors.rcnn.head import RcnnHead, of_best_class
from distildoc.schema.errors import ConfigError
from distildoc.schema.labels import align

TASKS = ("detection",)
KIND: Kind = "logits"
PAPER = Paper("Tang et al.", 2021, "2106.10456", "Humble Teachers Teach Better Students for Semi-Supervised Detection")


@dataclass(frozen=True)
class RoiKD:
    """temperature  of both softmaxes; top: proposals a page.
    tap      where the teacher says what it sees in its proposals.
    columns  of the teacher's logits, in the order of the student's; background stays last.
    """

    temperature: float
    top: int
    tap: str
    columns: tuple[int, ...]

    @property
    def needs(self) -> Needs:
        return Needs(teacher_taps=(self.tap,), teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def relabel(self, batch: Batch, teacher: View | Sequence[View]) -> Batch:
        """The batch with the boxes of the teacher that the student's second stage is to look at.

        Raises ConfigError where another term has put some there.
        """
        if "rois" in batch.targets:
            raise ConfigError("roi_kd: two terms give the student boxes to look at; keep one of them")
        return replace(batch, targets={**batch.targets, "rois": self._given(teacher)[0]})

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        boxes, logits, offsets = self._given(teacher)
        there = (boxes[..., 2:] > 0).all(-1)
        off = (offsets - of_best_class(logits, full(student.outputs["rois/offsets"]))).abs().sum(-1)
        sure = 1 - logits.softmax(-1)[..., -1]
        classes = kl_from_logits(logits, student.outputs["rois/logits"], temperature=self.temperature)
        return {"class": _mean(classes, there), "box": _mean(sure * off, there)}

    def _given(self, teacher: View | Sequence[View]) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes [B, R, 4], logits [B, R, C + 1] in the student's order, and offsets [B, R, 4] of the best class."""
        rois = full(one(teacher).features[self.tap][:, : self.top].detach())
        logits = rois[..., 4:-4]
        return rois[..., :4], logits[..., [*self.columns, logits.shape[-1] - 1]], rois[..., -4:]


def build(pair: Pair, *, temperature: PositiveFloat = 1.0, top: PositiveInt = 100) -> Method:
    """temperature: of both softmaxes; top: proposals of the teacher that count on a page."""
    teacher = pair.require_teacher("roi_kd")
    for model, whose in ((pair.student, "student"), (teacher, "teacher")):
        if not isinstance(bare_head(model), RcnnHead):
            raise ConfigError(
                f"roi_kd compares the second stages of two-stage detectors, and the {whose} has none "
                f"({type(model.head).__name__}); take Faster or Mask R-CNNs, or query_kd for a DETR-like student"
            )
    if set(teacher.labels) != set(pair.student.labels):
        only = sorted(set(teacher.labels) ^ set(pair.student.labels))
        raise ConfigError(
            f"roi_kd compares a softmax over all classes, and only one of both models has {only}; train the teacher on "
            "the student's classes, or take pseudo_labels, which maps them"
        )
    tap = "head.rois" if bare_head(teacher) is teacher.head else "head.head.rois"
    return RoiKD(temperature, top, tap, tuple(align(teacher.labels, pair.student.labels)))


def _mean(values: Tensor, there: Tensor) -> Tensor:
    """Over the boxes [B, R] of each page that are there, then over pages; a page without any counts as 0."""
    return ((values * there).sum(1) / there.sum(1).clamp(min=1)).mean()
