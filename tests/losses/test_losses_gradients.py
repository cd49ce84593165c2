"""losses.gradients against NumPy, KL and autograd."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, rel_entr, softmax

from distildoc.losses.gradients import (
    drawn_feature_weights,
    feature_weights,
    fisher_square,
    head_weights,
    logit_weights,
    weighted_mse,
)
from distildoc.losses.logits import kl_from_logits


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_is_half_the_fisher_square_up_to_the_cube_of_the_difference(temperature: float) -> None:
    teacher, direction = 2 * draw(6, 5), draw(6, 5, seed=1)
    left = []
    for size in (0.2, 0.1, 0.05):
        p = softmax(teacher.numpy() / temperature, -1)
        q = softmax((teacher + size * direction).numpy() / temperature, -1)
        square = fisher_square(teacher, teacher + size * direction, temperature=temperature).numpy()
        left.append(np.abs(rel_entr(p, q).sum(-1) - square / 2))
    for larger, smaller in pairwise(left):
        np.testing.assert_array_less(2.8, np.log2(larger / smaller))  # the power of the difference, near 3
        np.testing.assert_array_less(np.log2(larger / smaller), 3.5)


def test_fisher_square_is_the_matrix_form_in_numpy() -> None:
    teacher, student = draw(3, 4), draw(3, 4, seed=1)
    for row, p in enumerate(softmax(teacher.numpy() / 2, -1)):
        matrix = (np.diag(p) - np.outer(p, p)) / 4
        change = (student - teacher)[row].numpy()
        assert fisher_square(teacher, student, temperature=2.0)[row].item() == pytest.approx(change @ matrix @ change)
        np.testing.assert_allclose(logit_weights(teacher, temperature=2.0)[row].numpy(), np.diag(matrix))


def test_a_constant_added_to_the_logits_costs_nothing_with_all_of_fisher() -> None:
    teacher = draw(3, 4)
    assert fisher_square(teacher, teacher + 5, temperature=1.0).abs().max() < 1e-12


def test_at_high_temperature_the_fisher_square_is_that_of_centred_logits() -> None:
    teacher, student = draw(3, 4), draw(3, 4, seed=1)
    change = (student - teacher).numpy()
    expected = ((change - change.mean(-1, keepdims=True)) ** 2).mean(-1)
    found = 1e8 * fisher_square(teacher, student, temperature=1e4).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    scaled = 2 * kl_from_logits(teacher, student, temperature=1e4).numpy()  # T^2 is in it
    np.testing.assert_allclose(scaled, expected, rtol=1e-3)


def test_weights_of_a_linear_head_are_those_of_autograd_and_of_numpy() -> None:
    vector, weight = draw(6, 7).requires_grad_(), draw(5, 7, seed=1)
    logits = vector @ weight.T
    closed = head_weights(logits.detach(), weight)
    torch.testing.assert_close(closed, feature_weights(logits, vector), rtol=1e-10, atol=1e-12)
    p, rows = softmax(logits.detach().numpy(), -1), weight.numpy()
    by_hand = [sum(p[n, c] * (rows[c] - p[n] @ rows) ** 2 for c in range(5)) for n in range(6)]
    np.testing.assert_allclose(closed.numpy(), by_hand, rtol=1e-10)


def test_weights_of_a_feature_map_are_those_of_numpy_s_differences() -> None:
    feature, kernel, head = draw(2, 3, 4, 4).requires_grad_(), draw(2, 3, 2, 2, seed=1), draw(5, 18, seed=2)
    logits = torch.tanh(torch.nn.functional.conv2d(feature, kernel)).flatten(1) @ head.T

    def log_p(pages: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(pages, (2, 2), axis=(2, 3))
        hidden = np.tanh(np.einsum("nchwij,dcij->ndhw", windows, kernel.numpy()))
        return np.asarray(log_softmax(hidden.reshape(2, 18) @ head.numpy().T, -1))

    at, step = feature.detach().numpy(), 1e-5
    expected = np.empty_like(at)
    for place in np.ndindex(at.shape[1:]):  # pages do not depend on each other, so one step moves all of them
        change = np.zeros_like(at)
        change[:, *place] = step
        slope = (log_p(at + change) - log_p(at - change)) / (2 * step)
        expected[:, *place] = (np.exp(log_p(at)) * slope**2).sum(-1)
    found = feature_weights(logits, feature).numpy()
    assert found.shape == (2, 3, 4, 4) and expected.min() < 0.01 * expected.max()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_weights_of_logits_are_those_of_autograd() -> None:
    logits = draw(4, 5).requires_grad_()
    torch.testing.assert_close(feature_weights(logits, logits), logit_weights(logits.detach(), temperature=1.0))


def test_the_mean_of_the_score_is_zero() -> None:
    """sum_c p_c grad log p_c = 0: what makes F a variance."""
    vector, weight = draw(6, 7).requires_grad_(), draw(5, 7, seed=1)
    log_p = torch.log_softmax(torch.tanh(vector @ weight.T), -1)
    mean = torch.zeros_like(vector)
    for column in range(5):
        (score,) = torch.autograd.grad(log_p[:, column].sum(), vector, retain_graph=True)
        mean += log_p[:, column, None].exp().detach() * score
    assert mean.abs().max() < 1e-12


def test_drawn_weights_come_near_the_exact_ones() -> None:
    feature = draw(2, 3, 2, 2).requires_grad_()
    logits = torch.tanh(feature).flatten(1) @ draw(12, 4, seed=1)
    generator = torch.Generator().manual_seed(0)
    classes = torch.multinomial(logits.detach().softmax(-1), 3000, replacement=True, generator=generator)
    drawn = drawn_feature_weights(logits, feature, classes)
    exact = feature_weights(logits, feature)
    assert drawn.shape == exact.shape == feature.shape
    assert (drawn - exact).abs().mean() < 0.05 * exact.mean()


def test_weighted_mse_is_the_hand_value() -> None:
    teacher, student = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 5.0]])
    assert weighted_mse(teacher, student, torch.tensor([[0.5, 2.0]])).item() == 10.0  # (0.5 x 4 + 2 x 9) / 2


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="weights"):
        weighted_mse(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 1))


def test_a_certain_teacher_has_weights_of_zero_and_finite_gradients() -> None:
    teacher, student = torch.tensor([[1e4, 0.0, -1e4]]), torch.zeros(1, 3, requires_grad=True)
    assert torch.equal(logit_weights(teacher, temperature=1.0), torch.zeros(1, 3))
    assert torch.equal(head_weights(teacher, torch.randn(3, 4)), torch.zeros(1, 4))
    fisher_square(teacher, student, temperature=1.0).sum().backward()
    assert student.grad is not None and torch.isfinite(student.grad).all()


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "fisher_square": lambda teacher, student: fisher_square(teacher, student, temperature=2.0),
    "weighted_mse": lambda teacher, student: weighted_mse(teacher, student, logit_weights(teacher, temperature=2.0)),
    "head_weights": head_weights,
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_right_in_fp64(name: str) -> None:
    inputs = draw(4, 4).requires_grad_(), draw(4, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(LOSSES[name], inputs)
