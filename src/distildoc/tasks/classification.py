"""Page classification: one class a page, scored by accuracy."""

from collections.abc import Sequence

from torch.nn import functional

from distildoc.core.batch import UNLABELLED, Batch
from distildoc.core.method import Losses
from distildoc.core.task import Task
from distildoc.core.view import View
from distildoc.losses.means import mean_where
from distildoc.schema.errors import ConfigError


def classification(labels: Sequence[str], *, label_smoothing: float = 0.0) -> Task:
    """Task with `logits` [B, C] and target `label` [B] int64, -1 where unknown.

    Raises ConfigError for fewer than two classes, ValueError for smoothing outside 0..1.
    """
    if len(labels) < 2:
        raise ConfigError(f"classification needs at least two classes, the training data has {list(labels)}")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must be at least 0 and below 1, got {label_smoothing}")

    def loss(view: View, batch: Batch) -> Losses:
        """Cross-entropy in fp32."""
        label = batch.targets["label"]
        values = functional.cross_entropy(
            view.outputs["logits"].float(),
            label,
            reduction="none",
            ignore_index=UNLABELLED,
            label_smoothing=label_smoothing,
        )
        return {"cross_entropy": mean_where(values, label != UNLABELLED)}

    return Task("classification", tuple(labels), ("logits",), loss, "accuracy")
