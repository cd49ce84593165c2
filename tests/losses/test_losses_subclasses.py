"""losses.subclasses against hand values, NumPy and finite differences."""

import numpy as np
import pytest
import torch

from distildoc.losses.subclasses import cross_entropy, folded, log_shares


def some(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(values) / np.exp(values).sum(-1, keepdims=True)


def test_shares_equal_the_numpy_line() -> None:
    logits, scores = some(3, 2, seed=0), some(3, 2, 4, seed=1)
    expected = softmax(logits.numpy() / 4.0)[:, :, None] * softmax(scores.numpy() / 0.5)
    np.testing.assert_allclose(log_shares(logits, scores, temperature=4.0, within=0.5).exp().numpy(), expected)


def test_shares_of_a_class_add_up_to_its_probability() -> None:
    logits, scores = 5 * some(50, 3, seed=0), 3 * some(50, 3, 8, seed=1)
    shares = log_shares(logits, scores, temperature=1.0, within=0.3).exp().sum(2)
    torch.testing.assert_close(shares, logits.softmax(1), rtol=0, atol=1e-12)


def test_shares_of_a_page_by_hand() -> None:
    logits, scores = torch.tensor([[0.0, np.log(3.0)]]), torch.tensor([[[0.0, 0.0], [0.0, np.log(4.0)]]])
    found = log_shares(logits, scores, temperature=1.0, within=1.0).exp()
    torch.testing.assert_close(found, torch.tensor([[[0.125, 0.125], [0.15, 0.6]]], dtype=found.dtype))


def test_cross_entropy_equals_the_numpy_line() -> None:
    target = log_shares(some(3, 2, seed=0), some(3, 2, 4, seed=1), temperature=1.0, within=1.0)
    student = some(3, 2, 4, seed=2)
    expected = -(np.exp(target.numpy()) * np.log(softmax(student.numpy().reshape(3, 8))).reshape(3, 2, 4)).sum((1, 2))
    np.testing.assert_allclose(cross_entropy(target, student).numpy(), expected)


def test_cross_entropy_is_least_at_the_target_where_it_is_the_entropy() -> None:
    target = log_shares(some(4, 2, seed=0), some(4, 2, 3, seed=1), temperature=1.0, within=1.0)
    at_target = cross_entropy(target, target + 7.0)  # logits are known up to a constant
    torch.testing.assert_close(at_target, -(target.exp() * target).sum((1, 2)))
    assert (cross_entropy(target, target + 0.1 * some(4, 2, 3, seed=2)) > at_target).all()


def test_gradient_agrees_with_finite_differences() -> None:
    target = log_shares(some(2, 2, seed=0), some(2, 2, 3, seed=1), temperature=2.0, within=0.5)
    student = some(2, 2, 3, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda g: cross_entropy(target, g), (student,))


def test_gradient_of_folded_logits_agrees_with_finite_differences() -> None:
    assert torch.autograd.gradcheck(folded, (some(2, 2, 3, seed=0).requires_grad_(),))


def test_softmax_of_folded_logits_is_the_sum_over_sub_classes() -> None:
    logits = 6 * some(20, 3, 5, seed=0)
    summed = softmax(logits.numpy().reshape(20, 15)).reshape(20, 3, 5).sum(2)
    np.testing.assert_allclose(folded(logits).softmax(1).numpy(), summed, rtol=1e-12)


def test_extreme_values_have_finite_losses_and_gradients() -> None:
    student = torch.tensor([[[1e4, -1e4], [0.0, 1e4]]], requires_grad=True)
    scores = torch.tensor([[[1e4, -1e4], [1e4, 1e4]]])
    target = log_shares(torch.tensor([[-1e4, 1e4]]), scores, temperature=1.0, within=0.1)
    loss = cross_entropy(target, student).sum()
    loss.backward()
    assert torch.isfinite(loss) and student.grad is not None and torch.isfinite(student.grad).all()


@pytest.mark.parametrize(("temperature", "within"), [(0.0, 1.0), (1.0, -1.0)])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float, within: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        log_shares(torch.zeros(1, 2), torch.zeros(1, 2, 2), temperature=temperature, within=within)


def test_cross_entropy_refuses_to_broadcast() -> None:
    with pytest.raises(ValueError, match="same shape"):
        cross_entropy(torch.zeros(3, 2, 1), torch.zeros(3, 2, 4))
