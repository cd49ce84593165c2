"""A head behind projectors: another detector's head reads a student's pyramid, as SimKD leaves it in the student.

maps of the student -> one projector a level -> maps in the other's widths -> its head, frozen
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from torch import Tensor, nn

from distildoc.models.projectors import build_projector
from distildoc.schema.errors import ConfigError, InputError

KIND = "projected-levels"
Spec = dict[str, object]


class ProjectedLevels(nn.Module):
    """A student's maps [B, S, h, w] to the regions of a frozen head.

    projectors  one a level, to the widths that the head reads.
    levels      one identity a level, for taps: `head.levels.N` gives the projected maps.
    head        stays in eval mode, so that its batch norms keep what they have learnt, unless it is thawed.
    """

    def __init__(self, projectors: nn.ModuleList, head: nn.Module) -> None:
        super().__init__()
        self.projectors = projectors
        self.levels = nn.ModuleList(nn.Identity() for _ in projectors)
        self.head = head.requires_grad_(False).eval()
        self.frozen = True

    def thaw(self) -> Self:
        """Let the head learn along with what stands before it."""
        self.frozen = False
        self.head.requires_grad_(True)
        return self

    def forward(self, maps: Sequence[Tensor], targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        found = [level(project(each)) for level, project, each in zip(self.levels, self.projectors, maps, strict=True)]
        outputs: dict[str, Tensor] = self.head(found, targets)
        return outputs

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.frozen:
            self.head.eval()
        return self


def projected_levels(
    student_channels: Sequence[int],
    teacher_channels: Sequence[int],
    *,
    head: nn.Module,
    spec: Mapping[str, object],
    projector: Literal["none", "point", "cnn"] = "point",
    factor: int = 2,
) -> tuple[ProjectedLevels, Spec]:
    """The head of a model behind new projectors, and the description from which it is built again.

    head, spec  a head that the caller may freeze (a copy of the teacher's), and its own description.
    projector   `point`: a 1x1 convolution with batch norm; `cnn`: 1x1, 3x3 and 1x1, inside `factor` times narrower;
                `none`: the maps as they are.

    Raises ConfigError where the two pyramids have different numbers of levels.
    """
    if len(student_channels) != len(teacher_channels):
        raise ConfigError(
            f"the student's pyramid has {len(student_channels)} levels and the teacher's {len(teacher_channels)}; "
            "take models with the same strides"
        )
    pairs = zip(student_channels, teacher_channels, strict=True)
    inner = {"factor": factor} if projector == "cnn" else {}
    specs: list[Spec] = [{"kind": projector, "source": s, "target": t, **inner} for s, t in pairs]
    module = ProjectedLevels(nn.ModuleList(build_projector(each) for each in specs), head)
    return module, {"kind": KIND, "projectors": specs, "head": dict(spec)}


def projectors_from(spec: Mapping[str, object]) -> nn.ModuleList:
    """The projectors of a description; raises InputError for a damaged one."""
    found = spec.get("projectors")
    if not isinstance(found, list) or not found or not all(isinstance(each, Mapping) for each in found):
        raise InputError("model description: `head.projectors` must be a list with one description a level")
    return nn.ModuleList(build_projector(each) for each in found)
