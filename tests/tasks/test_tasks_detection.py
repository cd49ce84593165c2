import pytest
import torch

from distildoc.core.batch import Batch, Key
from distildoc.core.view import View
from distildoc.tasks.detection import detection

BATCH = Batch(torch.zeros(1, 3, 8, 8), {}, (Key("page", 0),))


def test_hands_on_the_losses_that_the_detector_made_over_true_boxes():
    outputs = {"logits": torch.zeros(1, 2, 3), "loss/vfl": torch.tensor(2.0), "pseudo/vfl": torch.tensor(9.0)}
    assert detection(["text"]).loss(View(outputs), BATCH) == {"vfl": torch.tensor(2.0)}


def test_a_view_without_losses_is_an_error():
    with pytest.raises(ValueError, match="no supervised losses"):
        detection(["text"]).loss(View({"logits": torch.zeros(1, 2, 3)}), BATCH)


def test_is_scored_by_mean_average_precision():
    task = detection(["text", "table"])
    assert (task.name, task.primary, task.labels, task.outputs) == (
        "detection",
        "map",
        ("text", "table"),
        ("logits", "boxes"),
    )


def test_needs_a_class():
    with pytest.raises(ValueError, match="at least one class"):
        detection([])
