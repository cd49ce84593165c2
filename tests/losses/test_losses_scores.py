"""losses.scores against SciPy and hand values."""

import numpy as np
import pytest
import torch
from scipy.special import expit, rel_entr
from torch.nn.functional import binary_cross_entropy_with_logits

from distildoc.losses.scores import binary_kl, logit, varifocal_weight


def pair(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple((3 * torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).to(dtype))


def test_binary_kl_equals_scipy_relative_entropy_of_both_outcomes() -> None:
    teacher, student = pair()
    p, q = expit(teacher.numpy()), expit(student.numpy())
    np.testing.assert_allclose(binary_kl(teacher, student).numpy(), rel_entr(p, q) + rel_entr(1 - p, 1 - q), rtol=1e-9)


def test_gradient_of_binary_kl_is_that_of_cross_entropy_with_the_teachers_scores() -> None:
    teacher, student = pair()
    student.requires_grad_()
    (found,) = torch.autograd.grad(binary_kl(teacher, student).sum(), student)
    entropy = binary_cross_entropy_with_logits(student, teacher.sigmoid(), reduction="sum")
    torch.testing.assert_close(found, torch.autograd.grad(entropy, student)[0])


def test_varifocal_weight_is_the_hand_value() -> None:
    teacher, student = torch.tensor([0.2]).logit(), torch.tensor([0.5]).logit()
    assert varifocal_weight(teacher, student).item() == pytest.approx(0.2 + 0.75 * 0.25 * 0.8)


def test_varifocal_weight_of_a_known_class_is_that_of_the_students_own_loss() -> None:
    _, student = pair()
    absent = torch.full_like(student, -100.0)
    torch.testing.assert_close(varifocal_weight(absent, student), 0.75 * student.sigmoid() ** 2)
    assert (varifocal_weight(-absent, student) == 1).all()


@pytest.mark.parametrize("size", [0.0, 1e4])
def test_binary_kl_is_finite_and_exactly_zero_at_agreement(size: float) -> None:
    teacher, student = (size * logits for logits in pair(torch.float32))
    student.requires_grad_()
    loss = binary_kl(teacher, student)
    (gradient,) = torch.autograd.grad(loss.sum(), student)
    assert torch.isfinite(loss).all() and torch.isfinite(gradient).all()
    assert (binary_kl(teacher, teacher) == 0).all()


def test_half_precision_is_computed_in_fp32() -> None:
    teacher, student = pair(torch.bfloat16)
    assert binary_kl(teacher, student).dtype == varifocal_weight(teacher, student).dtype == torch.float32


def test_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(5, 4\).*\(5, 1\)"):
        binary_kl(torch.zeros(5, 4), torch.zeros(5, 1))


def test_logit_of_a_score_is_held_within_twenty() -> None:
    assert [logit(score) for score in (0.0, 0.5, 1.0)] == [-20, 0, 20]
    assert logit(0.9) == pytest.approx(np.log(9))
