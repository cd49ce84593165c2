"""losses.probabilistic and losses.information against NumPy lines of the formulas, hand values and invariants."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.losses.information import class_sums, quadratic_information
from distildoc.losses.probabilistic import (
    KERNELS,
    KernelName,
    conditional,
    cosine_kernel,
    jeffreys,
    neighbourhoods,
    student_t_kernel,
)

every_kernel = pytest.mark.parametrize("kernel", ["cosine", "student_t", "both"])


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def numpy_kernels(rows: np.ndarray) -> dict[str, np.ndarray]:
    norm = np.linalg.norm(rows, axis=1)
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    return {"cosine": (rows @ rows.T / np.outer(norm, norm) + 1) / 2, "student_t": 1 / (1 + distance)}


def numpy_loss(teacher: np.ndarray, student: np.ndarray, kernel: str) -> float:
    total = 0.0
    for name in ("cosine", "student_t") if kernel == "both" else (kernel,):
        p, q = (k / k.sum(1, keepdims=True) for k in (numpy_kernels(teacher)[name], numpy_kernels(student)[name]))
        total += float(np.mean((p - q) * (np.log(p) - np.log(q))))
    return total


def test_kernels_are_the_hand_values() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    torch.testing.assert_close(cosine_kernel(rows), torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]))
    expected = [1.0, 1 / (1 + math.sqrt(5)), 1 / 5]
    torch.testing.assert_close(student_t_kernel(rows)[0], torch.tensor(expected))


@every_kernel
def test_equals_the_numpy_line_for_networks_of_different_widths(kernel: KernelName) -> None:
    teacher, student = draw(7, 5), draw(7, 3, 2, 2, seed=1)
    found = neighbourhoods(teacher, student, kernel=kernel)
    assert found.shape == (7, 7)
    assert found.mean().item() == pytest.approx(numpy_loss(teacher.numpy(), student.flatten(1).numpy(), kernel))


@every_kernel
def test_rows_of_the_probabilities_sum_to_one(kernel: KernelName) -> None:
    for near in KERNELS[kernel]:
        p = conditional(near(draw(6, 4)))
        torch.testing.assert_close(p.sum(1), torch.ones(6, dtype=torch.float64))
        assert (p >= 0).all()


def test_is_zero_only_where_the_probabilities_coincide() -> None:
    p = torch.tensor([[0.5, 0.5], [0.25, 0.75]], dtype=torch.float64)
    q = torch.tensor([[0.5, 0.5], [0.75, 0.25]], dtype=torch.float64)
    torch.testing.assert_close(jeffreys(p, p), torch.zeros_like(p), rtol=0, atol=0)
    expected = [[0.0, 0.0], [0.5 * math.log(3), 0.5 * math.log(3)]]
    torch.testing.assert_close(jeffreys(p, q), torch.tensor(expected, dtype=torch.float64))


def test_the_cosine_term_is_blind_to_rotation_and_scale_and_student_t_to_rotation_alone() -> None:
    rows = draw(6, 4)
    turn = torch.linalg.qr(draw(4, 4, seed=2))[0]
    assert neighbourhoods(rows, 5 * rows @ turn, kernel="cosine").abs().max() < 1e-12
    assert neighbourhoods(rows, rows @ turn, kernel="student_t").abs().max() < 1e-12
    assert neighbourhoods(rows, 5 * rows @ turn, kernel="student_t").mean() > 1e-3


@every_kernel
def test_gradient_is_that_of_finite_differences(kernel: KernelName) -> None:
    teacher, student = draw(5, 4), draw(5, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: neighbourhoods(teacher, rows, kernel=kernel), student)


@every_kernel
@pytest.mark.parametrize("rows", [torch.zeros(4, 3), torch.ones(4, 3), torch.tensor([[1e4, 0.0], [-1e4, 0.0]])])
def test_zero_equal_and_opposite_rows_give_finite_losses_and_gradients(kernel: KernelName, rows: Tensor) -> None:
    student = rows.clone().requires_grad_()
    loss = neighbourhoods(draw(len(rows), 5).float(), student, kernel=kernel).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert student.grad is not None and torch.isfinite(student.grad).all()


def torkkola(rows: np.ndarray, label: np.ndarray) -> float:
    """V_in + V_all - 2 V_between over all pairs of pages."""
    kernel, pages = numpy_kernels(rows)["cosine"], len(rows)
    share = {c: np.mean(label == c) for c in np.unique(label)}
    inside = sum(kernel[np.ix_(label == c, label == c)].sum() for c in share)
    everything = sum(p**2 for p in share.values()) * kernel.sum()
    between = sum(p * kernel[label == c].sum() for c, p in share.items())
    return float((inside + everything - 2 * between) / pages**2)


def test_information_equals_the_potentials_over_all_pairs_however_pages_are_batched() -> None:
    rows, label = draw(30, 6), torch.arange(30) % 4 * (torch.arange(30) % 3 > 0)
    parts = [class_sums(rows[i : i + 7], label[i : i + 7], 4) for i in range(0, 30, 7)]
    sums, counts = sum(part[0] for part in parts), sum(part[1] for part in parts)
    assert isinstance(sums, Tensor) and isinstance(counts, Tensor)
    assert quadratic_information(sums, counts).item() == pytest.approx(torkkola(rows.numpy(), label.numpy()))


def test_information_is_half_over_classes_at_a_simplex_and_zero_where_classes_look_alike() -> None:
    label = torch.arange(12) % 3
    corners = torch.eye(3, dtype=torch.float64) - 1 / 3
    assert quadratic_information(*class_sums(corners[label], label, 3)).item() == pytest.approx(1 / 6)
    assert quadratic_information(*class_sums(torch.ones(12, 2), label, 3)).item() == pytest.approx(0, abs=1e-15)


def test_information_leaves_out_pages_of_unknown_class_and_is_zero_without_any() -> None:
    rows, label = draw(12, 3), torch.arange(12) % 3
    more = torch.cat([rows, draw(4, 3, seed=5)]), torch.cat([label, torch.full((4,), -1)])
    torch.testing.assert_close(
        quadratic_information(*class_sums(*more, 3)), quadratic_information(*class_sums(rows, label, 3))
    )
    assert quadratic_information(*class_sums(rows, torch.full((12,), -1), 3)) == 0
