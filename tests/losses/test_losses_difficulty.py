"""losses.difficulty against SciPy and hand values."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import entropy as scipy_entropy

from distildoc.losses.difficulty import closeness, entropy, surprise

LOGITS = 3 * torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABEL = torch.tensor([2, 0, 4, 1])
SCORES = {"surprise": lambda z: surprise(z, LABEL), "entropy": entropy, "closeness": closeness}


def test_surprise_is_the_negative_log_probability_of_the_true_class() -> None:
    expected = -log_softmax(LOGITS.numpy(), -1)[np.arange(4), LABEL]
    np.testing.assert_allclose(surprise(LOGITS, LABEL).numpy(), expected, rtol=1e-12)


def test_entropy_is_that_of_scipy() -> None:
    np.testing.assert_allclose(entropy(LOGITS).numpy(), scipy_entropy(softmax(LOGITS.numpy(), -1), axis=-1), rtol=1e-10)


def test_surprise_of_pages_without_a_label_is_what_it_is_on_average() -> None:
    p = softmax(LOGITS.numpy(), -1)
    every = np.stack([surprise(LOGITS, torch.full((4,), label)).numpy() for label in range(5)], 1)
    np.testing.assert_allclose(surprise(LOGITS, torch.full((4,), -1)).numpy(), (p * every).sum(1), rtol=1e-10)


def test_closeness_of_a_page_between_two_classes_is_0_and_of_a_sure_one_minus_1() -> None:
    logits = torch.tensor([[5.0, 5.0, -50.0], [99.0, 0.0, 0.0], [0.6, 0.3, 0.1]])
    logits[2] = logits[2].log()
    torch.testing.assert_close(closeness(logits), torch.tensor([0.0, -1.0, -0.3]))


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("size", [0.0, 1e4])
def test_is_finite_for_equal_and_extreme_scores(name: str, size: float) -> None:
    assert torch.isfinite(SCORES[name](size * LOGITS.float())).all()


@pytest.mark.parametrize("name", SCORES)
def test_half_precision_is_computed_in_fp32(name: str) -> None:
    half = LOGITS.to(torch.bfloat16)
    assert SCORES[name](half).dtype == torch.float32
    torch.testing.assert_close(SCORES[name](half), SCORES[name](half.float()))


@pytest.mark.parametrize("name", SCORES)
def test_gradient_agrees_with_finite_differences(name: str) -> None:
    assert torch.autograd.gradcheck(SCORES[name], (LOGITS.clone().requires_grad_(),))
