"""losses.logits against NumPy, SciPy and hand values."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, rel_entr, softmax

from distildoc.losses.logits import kl, kl_from_logits, mse, nkd_non_target, nkd_target

LABEL = torch.tensor([2, 0, 4, 1])


def pair(seed: int = 0, classes: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    teacher, student = 3 * torch.randn(2, 4, classes, generator=generator, dtype=torch.float64)
    return teacher, student


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_kl_equals_scipy_relative_entropy_times_squared_temperature(temperature: float) -> None:
    teacher, student = pair()
    p, q = softmax(teacher.numpy() / temperature, -1), softmax(student.numpy() / temperature, -1)
    expected = temperature**2 * rel_entr(p, q).sum(-1)
    np.testing.assert_allclose(kl_from_logits(teacher, student, temperature=temperature).numpy(), expected, rtol=1e-10)


def test_kl_of_a_fair_and_a_biased_coin_is_the_hand_value() -> None:
    fair, biased = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.75, 0.25]])
    assert kl(fair.log(), biased.log()).item() == pytest.approx(0.5 * np.log(4 / 3), abs=1e-6)


def test_kl_does_not_change_when_a_constant_is_added_to_the_scores() -> None:
    teacher, student = pair()
    torch.testing.assert_close(
        kl_from_logits(teacher + 7, student - 3, temperature=2.0), kl_from_logits(teacher, student, temperature=2.0)
    )


def test_gradient_of_kl_at_high_temperature_is_that_of_centred_logits() -> None:
    teacher, student = pair()
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(kl_from_logits(teacher, student, temperature=1e4).sum(), student)
    difference = (student - teacher).detach()
    centred = (difference - difference.mean(-1, keepdim=True)) / difference.shape[1]  # Hinton et al. 2015, eq. 4
    torch.testing.assert_close(gradient, centred, atol=1e-3, rtol=1e-3)


def test_mse_is_the_mean_over_classes() -> None:
    assert mse(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 5.0]])).item() == pytest.approx((4 + 9) / 2)


def test_nkd_target_equals_the_numpy_line() -> None:
    teacher, student = pair()
    rows = np.arange(4)
    p, log_q = softmax(teacher.numpy(), -1), log_softmax(student.numpy(), -1)
    expected = -p[rows, LABEL] * log_q[rows, LABEL]
    np.testing.assert_allclose(nkd_target(teacher, student, LABEL).numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_nkd_non_target_equals_renormalised_probabilities_in_numpy(temperature: float) -> None:
    teacher, student = pair()
    expected = []
    for t, s, label in zip(teacher.numpy(), student.numpy(), LABEL.numpy(), strict=True):
        p, q = softmax(t / temperature), softmax(s / temperature)
        p, q = np.delete(p, label) / (1 - p[label]), np.delete(q, label) / (1 - q[label])
        expected.append(-(temperature**2) * (p * np.log(q)).sum())
    found = nkd_non_target(teacher, student, LABEL, temperature=temperature)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


def test_nkd_non_target_does_not_depend_on_the_true_class_score() -> None:
    teacher, student = pair()
    moved = student.scatter_add(1, LABEL[:, None], torch.full((4, 1), 9.0, dtype=student.dtype))
    torch.testing.assert_close(
        nkd_non_target(teacher, moved, LABEL, temperature=1.0), nkd_non_target(teacher, student, LABEL, temperature=1.0)
    )


def test_nkd_non_target_of_two_classes_is_zero() -> None:
    teacher, student = pair(classes=2)
    assert nkd_non_target(teacher, student, torch.tensor([0, 1, 1, 0]), temperature=1.0).abs().max() == 0


def test_unlabelled_pages_add_nothing_to_nkd() -> None:
    teacher, student = pair()
    label = torch.tensor([2, -1, 4, -1])
    for loss in (nkd_target(teacher, student, label), nkd_non_target(teacher, student, label, temperature=1.0)):
        assert (loss[[1, 3]] == 0).all()
        assert (loss[[0, 2]] > 0).all()


LOSSES = {
    "kl": lambda t, s: kl_from_logits(t, s, temperature=2.0),
    "mse": mse,
    "nkd_target": lambda t, s: nkd_target(t, s, LABEL),
    "nkd_non_target": lambda t, s: nkd_non_target(t, s, LABEL, temperature=2.0),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_agrees_with_finite_differences(name: str) -> None:
    teacher, student = pair()
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](teacher, s), (student.requires_grad_(),))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [0.0, 1e4])
def test_gradient_is_finite_at_equal_and_extreme_scores(name: str, size: float) -> None:
    teacher, student = (size * logits.float() for logits in pair())
    student.requires_grad_()
    loss = LOSSES[name](teacher, student)
    (gradient,) = torch.autograd.grad(loss.sum(), student)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_fp32(name: str, dtype: torch.dtype) -> None:
    teacher, student = (logits.to(dtype) for logits in pair())
    found = LOSSES[name](teacher, student)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, LOSSES[name](teacher.float(), student.float()), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["kl", "mse"])
def test_is_zero_at_equal_scores(name: str) -> None:
    teacher, _ = pair()
    assert LOSSES[name](teacher, teacher.clone()).abs().max() < 1e-12


def test_another_number_of_classes_is_an_error_that_names_both() -> None:
    with pytest.raises(ValueError, match=r"\(4, 5\).*\(4, 1\)"):
        mse(torch.zeros(4, 5), torch.zeros(4, 1))


def test_a_temperature_of_zero_is_an_error() -> None:
    with pytest.raises(ValueError, match="positive, got 0"):
        kl_from_logits(*pair(), temperature=0.0)
