"""View: what one model says about one Batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class View:
    """Named outputs and named tapped features of one model on one batch.

    outputs   classification: `logits` [B, C]. Detection: `logits` [B, Q, C], whose sigmoid is the score of a class,
              and `boxes` [B, Q, 4] as in a Batch; where the model was given targets also its own supervised losses
              as scalars, `loss/NAME` over pages with TRUE boxes and `pseudo/NAME` over those with PSEUDO ones.
              What only some detectors have is said by them (models/detectors).
    features  by tap name as the method wrote it, e.g. `penultimate` [B, D], `map` [B, C, H, W].
    again     runs the same model on other pixels, with gradients to them (input-gradient methods, attacks);
              None where the model is not at hand, as for cached outputs.
    probe     the same in evaluation mode, so that statistics of batch norms stay as they are: for looking for pixels
              before the student learns from them.
    """

    outputs: Mapping[str, Tensor]
    features: Mapping[str, Tensor] = field(default_factory=dict)
    again: Callable[[Tensor], "View"] | None = None
    probe: Callable[[Tensor], "View"] | None = None


def several(teacher: View | Sequence[View]) -> tuple[View, ...]:
    """The Views of all teachers, in order, for methods that take any number of experts."""
    return (teacher,) if isinstance(teacher, View) else tuple(teacher)


def one(teacher: View | Sequence[View]) -> View:
    """The only View of a teacher; raises ValueError where there are several, for methods that ask for one expert."""
    if isinstance(teacher, View):
        return teacher
    if len(teacher) != 1:
        raise ValueError(f"this method compares the student with one teacher, got {len(teacher)} Views")
    return teacher[0]
