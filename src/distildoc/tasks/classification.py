"""Page classification: one class a page, scored by accuracy."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from distildoc.core.batch import UNLABELLED, Batch
from distildoc.core.task import Task
from distildoc.core.view import View


def classification(labels: Sequence[str], *, label_smoothing: float = 0.0) -> Task:
    """Task with `logits` [B, C] and target `label` [B] int64, -1 where unknown.

    Raises ValueError for fewer than two classes or smoothing outside 0..1.
    """
    if len(labels) < 2:
        raise ValueError(f"classification needs at least two classes, got {list(labels)}")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must be at least 0 and below 1, got {label_smoothing}")

    def loss(view: View, batch: Batch) -> Tensor:
        """Cross-entropy in fp32, [B]; 0 for unlabelled pages."""
        return functional.cross_entropy(
            view.outputs["logits"].float(),
            batch.targets["label"],
            reduction="none",
            ignore_index=UNLABELLED,
            label_smoothing=label_smoothing,
        )

    return Task("classification", tuple(labels), ("logits",), loss, "accuracy")
