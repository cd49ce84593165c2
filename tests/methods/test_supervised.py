"""methods.supervised against NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods import method_module
from distildoc.methods.supervised import build
from distildoc.schema.errors import ConfigError
from distildoc.tasks.classification import classification

CLOCK = Clock(0, 1, 0.0)
NOBODY = View({})


def logits(seed: int = 0) -> torch.Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(seed))


def test_equals_the_mean_negative_log_likelihood_of_the_labelled_pages(
    pair_of: Callable[..., Pair], batch: Batch
) -> None:
    scores = logits()
    log_p = log_softmax(scores[:5].double().numpy(), -1)
    expected = -log_p[np.arange(5), np.arange(5)].mean()  # the sixth page has no label
    found = build(pair_of(teacher="none"))(View({"logits": scores}), NOBODY, batch, CLOCK)["cross_entropy"]
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_does_not_depend_on_the_teacher(pair_of: Callable[..., Pair], batch: Batch) -> None:
    method = build(pair_of())
    student = View({"logits": logits()})
    first, second = (method(student, View({"logits": logits(seed)}), batch, CLOCK)["cross_entropy"] for seed in (1, 2))
    assert not method.needs.teacher
    assert torch.equal(first, second)


def test_a_batch_without_labels_gives_zero_and_a_zero_gradient(pair_of: Callable[..., Pair], batch: Batch) -> None:
    scores = logits()[:2].requires_grad_()
    method = build(pair_of(teacher="none"))
    loss = method(View({"logits": scores}), NOBODY, batch.select(torch.tensor([5, 5])), CLOCK)["cross_entropy"]
    loss.backward()
    assert loss.item() == 0
    assert scores.grad is not None and not scores.grad.any()


def test_label_smoothing_reaches_the_loss(batch: Batch) -> None:
    scores = logits()
    task = classification(("a", "b", "c", "d", "e"), label_smoothing=0.1)
    pair = Pair(torch.nn.Module(), None, task, (32, 32))  # type: ignore[arg-type]  # the models are not looked at
    log_p = log_softmax(scores[:5].double().numpy(), -1)
    target = 0.9 * np.eye(5) + 0.1 / 5
    found = build(pair)(View({"logits": scores}), NOBODY, batch, CLOCK)["cross_entropy"]
    assert found.item() == pytest.approx(-(target * log_p).sum(1).mean(), rel=1e-6)


def test_a_misspelt_method_is_an_error_that_names_the_closest() -> None:
    with pytest.raises(ConfigError, match="closest: supervised"):
        method_module("supervized")
