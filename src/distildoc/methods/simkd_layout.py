"""SimKD for detectors: learn the teacher's pyramid, and reuse everything of the teacher that reads it.

    L = mean_levels mean_pages mean_{c,h,w} ( P_i(F_s,i) - F_t,i )^2        student at inference: H_t( P(F_s) )

Paper: DistilDoc (van Landeghem et al. 2024, arXiv:2406.08226, document layout analysis) after Chen et al. 2022,
arXiv:2203.14001. H_t is the teacher's decoder, or its proposal network and branches for boxes and masks: a copy with
classes in the student's order, which takes the place of the student's head and is saved and exported with it, behind
one projector P_i a level:

  none   P_i is the identity; widths must be equal.
  conv   a 1x1 convolution with batch norm.
  conv3  1x1, 3x3 and 1x1 convolutions with batch norm, `factor` times narrower than the teacher inside.

We differ where the paper's students end 5 to 11 mAP below supervised ones: its projector is always the identity, and
the levels' difference is all it learns from. Add the term `supervised`: its losses come out of the reused head and
reach body and projectors. `head: trained` lets the head learn as well, from `supervised` alone; `frozen` keeps it as
the teacher had it. The paper adds levels up, here they are averaged. Maps of two sizes meet at the smaller, in the loss
only.

The teacher's classes must be the student's, in any order: a row of its head scores one class, and rows of classes that
become one cannot be put together. Both pyramids need as many levels.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import PositiveInt

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Detector, Model
from distildoc.core.pair import Pair
from distildoc.core.taps import shapes
from distildoc.core.view import View, one
from distildoc.losses.features import mse, same_grid
from distildoc.models.detectors.lent import Lent, lent_head
from distildoc.models.detectors.projected import ProjectedLevels, projected_levels
from distildoc.models.levels import pyramid
from distildoc.schema.errors import ConfigError, InputError
from distildoc.schema.labels import align

KIND: Kind = "features"
PAPER = Paper(
    "Van Landeghem et al.",
    2024,
    "2406.08226",
    "DistilDoc: Knowledge Distillation for Visually-Rich Document Applications",
)
TASKS = ("detection",)

Projector = Literal["none", "conv", "conv3"]
KINDS: dict[Projector, Literal["none", "point", "cnn"]] = {"none": "none", "conv": "point", "conv3": "cnn"}


@dataclass(frozen=True)
class SimKDLayout:
    """lent     the teacher's head, its classes in the student's order, and the taps of the maps that it reads.
    widths   (student's, teacher's) channels of every level.
    trained  whether the head learns along.
    """

    lent: Lent
    widths: tuple[tuple[int, int], ...]
    projector: Projector
    factor: int
    trained: bool

    @property
    def needs(self) -> Needs:
        return Needs(student_taps=self._taps, teacher_taps=self.lent.taps, teacher_outputs=False)

    @property
    def _taps(self) -> tuple[str, ...]:
        return tuple(f"head.levels.{index}" for index in range(len(self.widths)))

    def adapt(self, student: Model) -> Model:
        """A detector that shares the student's body; the head is new."""
        head, spec = self._head()
        recipe = {**student.recipe, "head": spec}
        head.to(next(student.parameters()).device)
        normalise, labels, places = student.normalise, student.labels, student.places
        return Detector(student.body, head, normalise=normalise, labels=labels, places=places, recipe=recipe)

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        found = [student.features[tap] for tap in self._taps]
        wanted = [one(teacher).features[tap] for tap in self.lent.taps]
        losses = [mse(*same_grid(t, s)) for t, s in zip(wanted, found, strict=True)]
        return {"mse": torch.stack(losses).mean()}

    def _head(self) -> tuple[ProjectedLevels, dict[str, object]]:
        sources, targets = zip(*self.widths, strict=True)
        head, spec = projected_levels(
            sources,
            targets,
            head=deepcopy(self.lent.head),
            spec=self.lent.spec,
            projector=KINDS[self.projector],
            factor=self.factor,
        )
        return (head.thaw(), {**spec, "trained": True}) if self.trained else (head, spec)


def build(
    pair: Pair,
    *,
    projector: Projector = "conv",
    head: Literal["frozen", "trained"] = "frozen",
    factor: PositiveInt = 2,
) -> Method:
    """factor: how much narrower than the teacher conv3 is inside; projector, head: see above."""
    teacher = pair.require_teacher("simkd_layout")
    student = pyramid(pair.student, pair.size, method="simkd_layout", whose="student")
    pyramid(teacher, pair.size, method="simkd_layout", whose="teacher")
    lent = lent_head(teacher, _columns(teacher, pair.student))
    found = shapes(teacher, lent.taps, pair.size)
    sources, targets = [level.channels for level in student], [found[tap][0] for tap in lent.taps]
    if len(sources) != len(targets):
        raise ConfigError(
            f"simkd_layout: the student's pyramid has {len(sources)} levels and the teacher's {len(targets)}; take "
            "models with the same strides"
        )
    if projector == "none" and sources != targets:
        raise ConfigError(
            f"simkd_layout without a projector needs equal widths: the student's maps have {sources} channels and the "
            f"teacher's {targets}; set `projector` to conv or conv3"
        )
    return SimKDLayout(lent, tuple(zip(sources, targets, strict=True)), projector, factor, head == "trained")


def _columns(teacher: Model, student: Model) -> list[int]:
    try:
        return align(teacher.labels, student.labels)
    except InputError:
        only = [
            [name for name in a.labels if name not in b.labels] for a, b in ((student, teacher), (teacher, student))
        ]
        raise ConfigError(
            "simkd_layout takes over the layers of the teacher that score classes, so both need the same classes, in "
            f"any order: only the student has {only[0]}, only the teacher has {only[1]}; train the teacher on the "
            "student's classes, or take a method that maps them, as pseudo_labels"
        ) from None
