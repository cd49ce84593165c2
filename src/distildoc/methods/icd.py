"""Instance-conditional distillation: each region asks which of the teacher's features it needs, and those are learned.

    L = mean_pages mean_heads sum_c a_c mean_d ( norm(V_s) - norm(V_t) )_c^2 / sum_c a_c    a_c = sum_{real i} m_{i,c}
    m_{i,c} = softmax_c( q_i k_c / sqrt(d) )       identify = BCE(real or made up)       locate = |edges| / size of box

Paper: Kang et al. 2021, arXiv:2110.12724, the form that DistilDoc (arXiv:2406.08226) carries. Queries q are class,
rough centre (up to 0.3 of the box away) and rough size of a region i; keys k and values V_t come from the cells c of
all of the teacher's levels; one decoder layer. Two tasks on the teacher's features alone train queries and decoder: is
this region real or made up, and where are the edges of the real one. The difference of values trains the student and
its own projection V_s; it does not reach the decoder. norm is a layer norm without weights in each head. All that is
learned is left behind at export. Add the term `supervised`; the authors weigh the first loss with 8, and with 3 for a
two-stage detector.

We differ: made-up regions have the sizes of the page's own and fill in for COCO's statistics, one for a real one
(`fakes`; the authors have five, too many for a page of a hundred regions); all losses are means over pages, so that a
crowded page weighs no more; `hidden` is 128, theirs 256. Pages without boxes add nothing.
"""

from collections.abc import Sequence
from typing import Annotated, cast

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.batch import UNKNOWN, Batch, refuse_scores
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.features import same_grid
from distildoc.losses.instances import attended_values, edge_distance, real_or_not
from distildoc.losses.means import mean_where
from distildoc.losses.precision import full
from distildoc.models.instances import (
    InstanceDecoder,
    InstanceQueries,
    Instances,
    drawn_instances,
    in_heads,
    perceptron,
    places_of,
)
from distildoc.models.levels import Level, paired_pyramids

KIND: Kind = "features"
PAPER = Paper("Kang et al.", 2021, "2110.12724", "Instance-Conditional Knowledge Distillation for Object Detection")
TASKS = ("detection",)
HEADS = 8
SMALL = -3.0  # first logit of a guessed edge, 5 % of the page: half a page is a hundred times the height of a line


class ICD(nn.Module):
    """Queries, decoder and guesses on the teacher's levels; the student's projections to values.

    levels  (student's, teacher's), in order.
    fakes   made-up regions for a real one.
    """

    def __init__(self, levels: Sequence[tuple[Level, Level]], *, labels: int, hidden: int, fakes: float) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.labels, self.hidden, self.fakes = labels, hidden, fakes
        self.queries = InstanceQueries(labels, hidden)
        self.decoder = InstanceDecoder(hidden, HEADS)
        self.guess = perceptron(hidden, hidden, 5)
        with torch.no_grad():
            cast(nn.Linear, self.guess[-1]).bias[1:] = SMALL
        self.cells = nn.ModuleList(nn.Conv2d(teacher.channels, hidden, 1) for _, teacher in levels)
        self.values = nn.ModuleList(nn.Conv2d(student.channels, hidden, 1) for student, _ in levels)

    @property
    def needs(self) -> Needs:
        student, teacher = (tuple(level.tap for level in levels) for levels in zip(*self.levels, strict=True))
        return Needs(student_taps=student, teacher_taps=teacher, teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        maps = [same_grid(t.of(one(teacher)), s.of(student)) for s, t in self.levels]
        refuse_scores(batch.targets, "icd")
        known = batch.targets["origin"] != UNKNOWN
        boxes, classes = batch.targets["boxes"], batch.targets["classes"]
        draw = {"step": clock.step, "labels": self.labels}
        instances = drawn_instances(boxes, classes, known, batch.keys, fakes=self.fakes, **draw)
        places = places_of([(t.shape[2], t.shape[3]) for t, _ in maps], self.hidden, boxes.device)
        cells = _in_line([layer(t) for layer, (t, _) in zip(self.cells, maps, strict=True)])
        found, attention, values = self.decoder(self.queries(instances), cells, places)
        mine = _in_line([layer(s) for layer, (_, s) in zip(self.values, maps, strict=True)])
        mine = in_heads(mine, HEADS)
        mine, wanted = (functional.layer_norm(full(v), v.shape[-1:]) for v in (mine, values.detach()))
        asked = torch.einsum("bhns,bn->bhs", attention.detach(), instances.real.to(attention.dtype))
        distil = attended_values(wanted, mine, asked)
        return {"distil": mean_where(distil, instances.real.any(1)), **self._tasks(found, instances)}

    def _tasks(self, found: Tensor, instances: Instances) -> Losses:
        """What trains queries and decoder: real or made up, and the edges, from what was decoded [B, N, D]."""
        guess = full(self.guess(found))
        identify = real_or_not(guess[..., 0], instances.real, instances.present)
        locate = edge_distance(guess[..., 1:].sigmoid(), instances.centres, instances.boxes_cxcywh, instances.real)
        return {
            "identify": mean_where(identify, instances.present.any(1)),
            "locate": mean_where(locate, instances.real.any(1)),
        }


def build(
    pair: Pair,
    *,
    hidden: Annotated[int, Field(gt=0, multiple_of=4 * HEADS)] = 128,
    fakes: PositiveFloat = 1.0,
) -> Method:
    """hidden: width of queries, keys and values, in eight heads (a multiple of 32); fakes: made-up regions for each."""
    return ICD(paired_pyramids(pair, "icd"), labels=len(pair.student.labels), hidden=hidden, fakes=fakes)


def _in_line(maps: Sequence[Tensor]) -> Tensor:
    """Maps [B, D, h, w] to their cells one after the other, [B, S, D]."""
    return torch.cat([feature.flatten(2).transpose(1, 2) for feature in maps], 1)
