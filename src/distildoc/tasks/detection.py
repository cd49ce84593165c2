"""Layout detection: labelled boxes on a page, scored by mean average precision.

Detectors make their own supervised losses inside their forward, because they take part in their own supervision
(denoising queries, sampled proposals); the task hands on those over pages with TRUE boxes.
"""

from collections.abc import Sequence

from distildoc.core.batch import Batch
from distildoc.core.method import Losses
from distildoc.core.task import Task
from distildoc.core.view import View

SUPERVISED = "loss/"  # prefix of the supervised losses in View.outputs


def detection(labels: Sequence[str]) -> Task:
    """Task with `logits` [B, Q, C] and `boxes` [B, Q, 4], and targets `boxes`, `classes` and `origin` (see Batch).

    Raises ValueError without any class.
    """
    if not labels:
        raise ValueError("detection needs at least one class, got none")
    return Task("detection", tuple(labels), ("logits", "boxes"), _supervised, "map")


def _supervised(view: View, batch: Batch) -> Losses:
    """Every `loss/NAME` of the View under NAME; raises ValueError where the model was not given the targets."""
    losses = {name.removeprefix(SUPERVISED): v for name, v in view.outputs.items() if name.startswith(SUPERVISED)}
    if not losses:
        raise ValueError("the View has no supervised losses: a detector makes them when it is given the targets")
    return losses
