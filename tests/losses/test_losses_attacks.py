"""losses.attacks against the closed form on linear models."""

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.losses.attacks import cross_entropy, fgsm, pgd, pixel_gradient, strongest

EPSILON = 0.05
GENERATOR = torch.Generator().manual_seed(0)
PIXELS = 0.2 + 0.6 * torch.rand(5, 3, 4, 4, generator=GENERATOR, dtype=torch.float64)  # nowhere near 0 or 1
WEIGHT = torch.randn(2, 48, generator=GENERATOR, dtype=torch.float64)
LABEL = torch.tensor([0, 1, 0, 1, 1])


def linear(pixels: Tensor) -> Tensor:
    return cross_entropy(pixels.flatten(1) @ WEIGHT.T, LABEL)


def worst_in_numpy() -> np.ndarray:
    """With two classes CE = log(1 + exp(-m)), m = (w_y - w_other) x: the worst pixels go along sign(w_other - w_y)."""
    weight, label = WEIGHT.numpy(), LABEL.numpy()
    towards = np.sign(weight[1 - label] - weight[label]).reshape(5, 3, 4, 4)
    return np.asarray(PIXELS.numpy() + EPSILON * towards)


def test_fgsm_is_the_closed_form_of_a_linear_model() -> None:
    np.testing.assert_allclose(fgsm(linear, PIXELS, epsilon=EPSILON).numpy(), worst_in_numpy(), atol=1e-12)


@pytest.mark.parametrize("start", [None, 0.5 * EPSILON])
def test_pgd_comes_to_the_closed_form_from_any_start(start: float | None) -> None:
    begin = None if start is None else PIXELS + start
    found = pgd(linear, PIXELS, epsilon=EPSILON, steps=20, step=0.2 * EPSILON, start=begin)
    np.testing.assert_allclose(found.numpy(), worst_in_numpy(), atol=1e-12)


def test_loss_under_attack_is_that_of_the_margin_less_epsilon_times_the_l1_norm() -> None:
    weight, label, flat = WEIGHT.numpy(), LABEL.numpy(), PIXELS.flatten(1).numpy()
    towards = weight[label] - weight[1 - label]
    margin = (towards * flat).sum(1) - EPSILON * np.abs(towards).sum(1)
    found = linear(pgd(linear, PIXELS, epsilon=EPSILON, steps=10, step=EPSILON / 4))
    np.testing.assert_allclose(found.numpy(), np.log1p(np.exp(-margin)), rtol=1e-9)


def test_pgd_with_too_few_steps_goes_no_farther_than_they_reach() -> None:
    found = pgd(linear, PIXELS, epsilon=EPSILON, steps=3, step=0.01)
    assert (found - PIXELS).abs().max() == pytest.approx(0.03)


def test_pixels_stay_within_epsilon_and_within_0_and_1_from_a_start_outside() -> None:
    edge = torch.tensor([0.0, 1.0]).repeat(24).view(1, 3, 4, 4).expand(5, -1, -1, -1).double()
    found = pgd(linear, edge, epsilon=0.1, steps=4, step=0.08, start=edge + 0.7)
    assert found.min() >= 0 and found.max() <= 1
    assert (found - edge).abs().max() <= 0.1 + 1e-12
    assert (found != edge).any()


def test_strongest_takes_for_every_page_the_attempt_with_the_highest_loss() -> None:
    plain, worst = PIXELS, torch.from_numpy(worst_in_numpy())
    mixed = torch.where(torch.tensor([True, False, True, False, True])[:, None, None, None], worst, plain)
    other = torch.where(torch.tensor([True, False, True, False, True])[:, None, None, None], plain, worst)
    torch.testing.assert_close(strongest(linear, [mixed, plain, other]), worst, rtol=0, atol=0)


def test_a_page_without_a_label_has_no_loss_and_is_not_moved() -> None:
    def loss(pixels: Tensor) -> Tensor:
        return cross_entropy(pixels.flatten(1) @ WEIGHT.T, torch.tensor([0, -1, 0, -1, 1]))

    assert loss(PIXELS)[[1, 3]].tolist() == [0, 0]
    moved = (fgsm(loss, PIXELS, epsilon=EPSILON) != PIXELS).flatten(1).any(1)
    assert moved.tolist() == [True, False, True, False, True]


def test_gradient_of_the_pixels_is_that_of_softmax_regression() -> None:
    logits = PIXELS.flatten(1).numpy() @ WEIGHT.numpy().T
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wanted = (probabilities - np.eye(2)[LABEL]) @ WEIGHT.numpy()
    np.testing.assert_allclose(pixel_gradient(linear, PIXELS).flatten(1).numpy(), wanted, rtol=1e-9)
