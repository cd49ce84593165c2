"""losses.routing against SciPy and hand values."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy

from distildoc.losses.routing import row_entropy


def scores() -> torch.Tensor:
    return 2 * torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_is_the_entropy_of_scipy() -> None:
    np.testing.assert_allclose(row_entropy(scores()).numpy(), entropy(softmax(scores().numpy(), -1), axis=-1))


def test_equal_scores_give_the_logarithm_of_their_number_and_no_gradient() -> None:
    equal = torch.full((2, 4), 7.0, dtype=torch.float64, requires_grad=True)
    found = row_entropy(equal)
    found.sum().backward()
    np.testing.assert_allclose(found.detach().numpy(), np.log(4))
    assert equal.grad is not None and equal.grad.abs().max() < 1e-12


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_one_large_score_gives_zero_and_a_finite_gradient(size: float) -> None:
    large = torch.tensor([[size, 0.0, -size]], requires_grad=True)
    found = row_entropy(large)
    found.sum().backward()
    assert found.item() == 0
    assert large.grad is not None and torch.isfinite(large.grad).all()


def test_gradient_is_that_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(row_entropy, scores().requires_grad_())


def test_half_precision_is_taken_in_full() -> None:
    assert row_entropy(scores().bfloat16()).dtype == torch.float32
