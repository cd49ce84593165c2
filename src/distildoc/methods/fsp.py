"""Flow of solution procedure: from one layer to the next, go the way the teacher goes.

    L = sum_l mean_pages mean_{c,d} ( G_l(s) - G_l(t) )^2        G_l = F_l F_{l+1}^T / (h w), [c, d]

Paper: Yim et al. 2017, doi:10.1109/CVPR.2017.754, section 3 (CVPR 2017; it has no arXiv number). F_l and F_{l+1} are
two maps of one network, the larger one pooled to the grid of the other. The paper first learns this loss alone and then
the labels alone; here it is a term beside `supervised`, and a weight that falls to 0, as in
`{kind: linear, start: 1, end: 0, until: 0.5}`, gives both stages their time.

We differ: the mean over entries stands for the sum, so that the weight does not depend on the widths; maps are averaged
down where the paper takes maxima; and where student and teacher have other numbers of channels, which the paper does
not allow, a 1x1 convolution that is trained along and left behind brings the student's map to the teacher's. With equal
widths nothing is learned. Tokens are laid out on the page without their leading ones.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.features import same_grid
from distildoc.losses.relations import flow, flow_difference
from distildoc.models.grids import Grid, grid_of
from distildoc.schema.errors import ConfigError

KIND: Kind = "features"
PAPER = Paper(
    "Yim et al.",
    2017,
    "",
    "A Gift from Knowledge Distillation: Fast Optimization, Network Minimization and Transfer Learning",
    doi="10.1109/CVPR.2017.754",
)


class Flows(nn.Module):
    """taps    of student and teacher, each in order of depth.
    grids   of student and teacher.
    widen   from the student's channels to the teacher's, one a tap; identities where they are equal.
    """

    def __init__(
        self, taps: tuple[tuple[str, ...], tuple[str, ...]], grids: tuple[Grid, Grid], widen: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.taps, self.grids = taps, grids
        self.widen = nn.ModuleList(widen)
        self.needs = Needs(student_taps=taps[0], teacher_taps=taps[1], teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        found = [self.grids[0](student.features[tap]) for tap in self.taps[0]]
        found = [widen(maps) for widen, maps in zip(self.widen, found, strict=True)]
        wanted = [self.grids[1](one(teacher).features[tap]) for tap in self.taps[1]]
        steps = zip(_flows(wanted), _flows(found), strict=True)
        return {"flow": torch.stack([flow_difference(theirs, own).mean() for theirs, own in steps]).sum()}


def _flows(maps: Sequence[Tensor]) -> list[Tensor]:
    """The flow from each map to the next."""
    return [flow(*same_grid(first, second)) for first, second in pairwise(maps)]


def build(
    pair: Pair,
    *,
    student_taps: tuple[str, ...] = ("early", "middle", "late"),
    teacher_taps: tuple[str, ...] = ("early", "middle", "late"),
) -> Method:
    """Taps: at least two of each network, as many of one as of the other, in order of depth; maps or tokens."""
    model = pair.require_teacher("fsp")
    if len(student_taps) != len(teacher_taps) or len(student_taps) < 2:
        raise ConfigError(
            f"fsp compares ways from tap to tap, and there are {len(student_taps)} of the student and "
            f"{len(teacher_taps)} of the teacher; name as many of both, at least two"
        )
    grids = grid_of(pair.student, pair.size), grid_of(model, pair.size)
    widen = []
    for own, theirs in zip(student_taps, teacher_taps, strict=True):
        source = grids[0].shape(pair.student_shape(own))[0]
        target = grids[1].shape(pair.teacher_shape(theirs, "fsp"))[0]
        widen.append(nn.Identity() if source == target else nn.Conv2d(source, target, 1, bias=False))
    return Flows((student_taps, teacher_taps), grids, widen)
