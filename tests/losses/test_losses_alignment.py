"""losses.alignment against NumPy, at zero, and under gradcheck."""

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.losses.alignment import gap_norm, gap_norm_of_batch


def gradients(seed: int) -> Tensor:
    return torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_norm_of_every_page_is_numpy_s() -> None:
    teacher, student = gradients(0), gradients(1)
    wanted = np.linalg.norm((student - teacher).numpy().reshape(4, -1), axis=1)
    np.testing.assert_allclose(gap_norm(teacher, student).numpy(), wanted, rtol=1e-12)


def test_norm_of_the_batch_is_the_frobenius_norm() -> None:
    teacher, student = gradients(0), gradients(1)
    wanted = np.linalg.norm((student - teacher).numpy().ravel())
    assert gap_norm_of_batch(teacher, student).item() == pytest.approx(wanted)


@pytest.mark.parametrize("loss", [gap_norm, gap_norm_of_batch])
@pytest.mark.parametrize("size", [0.0, 1e-25, 1e-12])
def test_loss_and_gradient_are_finite_near_agreement(loss, size: float) -> None:  # type: ignore[no-untyped-def]
    teacher = gradients(0).float()
    student = (teacher + 0).requires_grad_()
    scaled = teacher * size
    found = loss(scaled, student * size) if size else loss(teacher, student)
    found.sum().backward()
    assert found.abs().max() == 0
    assert student.grad is not None and student.grad.abs().max() == 0


@pytest.mark.parametrize("loss", [gap_norm, gap_norm_of_batch])
def test_first_and_second_derivative_pass_gradcheck(loss) -> None:  # type: ignore[no-untyped-def]
    teacher, student = gradients(0), gradients(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(teacher, s), student)
    assert torch.autograd.gradgradcheck(lambda s: loss(teacher, s), student)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="same shape"):
        gap_norm(gradients(0), gradients(1)[:1])
