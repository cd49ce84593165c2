"""The supervised loss against NumPy."""

import numpy as np
import pytest
import torch

from distildoc.core.batch import Batch, Key
from distildoc.core.view import View
from distildoc.tasks.classification import classification


def make_batch(targets: list[int]) -> Batch:
    keys = tuple(Key(f"p{i}", 0) for i in range(len(targets)))
    return Batch(torch.zeros(len(targets), 3, 2, 2), {"label": torch.tensor(targets)}, keys)


def test_loss_equals_minus_log_probability_and_skips_unlabelled_pages() -> None:
    logits = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    losses = classification(["a", "b", "c"]).loss(View({"logits": torch.tensor(logits)}), make_batch([0, -1, 1]))
    assert losses["cross_entropy"].item() == pytest.approx(-(log_p[0, 0] + log_p[2, 1]) / 2, abs=1e-6)


def test_smoothing_mixes_in_the_uniform_cross_entropy() -> None:
    logits = np.array([[2.0, -1.0]])
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    task = classification(["a", "b"], label_smoothing=0.2)
    loss = task.loss(View({"logits": torch.tensor(logits)}), make_batch([0]))["cross_entropy"]
    assert loss.item() == pytest.approx(-0.8 * log_p[0, 0] - 0.2 * log_p[0].mean(), abs=1e-6)


def test_one_class_is_no_task() -> None:
    with pytest.raises(ValueError, match="two classes"):
        classification(["a"])
