"""losses.attention_maps against NumPy, identities and finite differences."""

import numpy as np
import torch
from torch import Tensor

from distildoc.losses.attention_maps import attention, attention_transfer


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def transfer(teacher: Tensor, student: Tensor) -> Tensor:
    return attention_transfer(attention(teacher), attention(student))


def test_equals_the_numpy_line() -> None:
    teacher, student = random(3, 4, 2, 5), random(3, 7, 2, 5, seed=1)
    rows = []
    for maps in (teacher.numpy(), student.numpy()):
        energy = (maps**2).sum(1).reshape(3, -1)  # the sum of the paper; only the direction counts
        rows.append(energy / np.linalg.norm(energy, axis=1, keepdims=True))
    np.testing.assert_allclose(transfer(teacher, student).numpy(), ((rows[1] - rows[0]) ** 2).mean(1), rtol=1e-9)


def test_does_not_change_when_channels_change_places_signs_or_scale() -> None:
    features = random(2, 6, 3, 3)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    assert transfer(features, -9.0 * features[:, order]).max() < 1e-25


def test_two_pages_that_look_at_different_corners_differ_by_two_over_the_cells() -> None:
    teacher, student = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    teacher[0, 0, 0, 0], student[0, 0, 1, 1] = 5.0, 2.0
    assert transfer(teacher, student).item() == 0.5  # (1 + 1) / 4


def test_the_energy_of_the_larger_map_is_averaged_down() -> None:
    large = random(2, 3, 4, 4)
    pooled = (large**2).mean(1, keepdim=True).reshape(2, 1, 2, 2, 2, 2).mean((3, 5))
    assert attention_transfer(attention(large), pooled).max() < 1e-25


def test_gradient_agrees_with_finite_differences_and_is_finite_at_zero() -> None:
    teacher = random(2, 3, 2, 2)
    student = random(2, 2, 2, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: transfer(teacher, s), (student,))
    empty = torch.zeros(2, 2, 2, 2, requires_grad=True)
    transfer(teacher.float(), empty).sum().backward()
    assert empty.grad is not None and torch.isfinite(empty.grad).all()
