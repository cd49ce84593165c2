"""losses.features and losses.means against hand values."""

import numpy as np
import pytest
import torch

from distildoc.losses.features import hierarchical, mse, same_grid
from distildoc.losses.means import mean_where


def test_mse_equals_the_numpy_mean_over_a_page() -> None:
    teacher, student = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = ((teacher.numpy() - student.numpy()) ** 2).reshape(3, -1).mean(1)
    np.testing.assert_allclose(mse(teacher, student).numpy(), expected, rtol=1e-12)


def test_mse_gradient_agrees_with_finite_differences() -> None:
    teacher, student = torch.randn(2, 2, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda s: mse(teacher, s), (student.requires_grad_(),))


def test_mse_of_half_precision_does_not_overflow() -> None:
    far = torch.full((1, 8), 3e4, dtype=torch.float16)  # its square is past the range of fp16
    assert mse(far, torch.zeros_like(far)).item() == pytest.approx(9e8, rel=1e-3)


def test_mse_refuses_to_broadcast() -> None:
    with pytest.raises(ValueError, match="same shape"):
        mse(torch.zeros(2, 1, 4, 4), torch.zeros(2, 3, 4, 4))


def test_larger_map_is_averaged_over_the_cells_it_covers() -> None:
    large = torch.arange(16.0).reshape(1, 1, 4, 4)
    teacher, student = same_grid(large, torch.zeros(1, 7, 2, 2))
    assert teacher[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert student.shape == (1, 7, 2, 2)


def test_each_axis_takes_the_smaller_size() -> None:
    teacher, student = same_grid(torch.zeros(1, 2, 4, 3), torch.zeros(1, 5, 2, 6))
    assert (teacher.shape, student.shape) == ((1, 2, 2, 3), (1, 5, 2, 3))


def test_equal_sizes_are_left_alone() -> None:
    maps = torch.zeros(1, 2, 4, 4), torch.zeros(1, 5, 4, 4)
    assert all(before is after for before, after in zip(maps, same_grid(*maps), strict=True))


def test_mean_over_no_pages_has_a_zero_gradient() -> None:
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    mean_where(values, torch.tensor([False, False])).backward()
    assert values.grad is not None and values.grad.tolist() == [0, 0]


def test_mean_counts_only_the_rows_asked_for() -> None:
    assert mean_where(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([True, False, True])).item() == 3.5


def pooled(feature: np.ndarray, cells: int) -> np.ndarray:
    """Maps [B, C, h, w] averaged to cells x cells, which must divide the sides."""
    pages, channels, height, width = feature.shape
    return feature.reshape(pages, channels, cells, height // cells, cells, width // cells).mean((3, 5))


def test_hierarchical_equals_the_numpy_line_of_its_scales() -> None:
    teacher, student = torch.randn(2, 3, 4, 8, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    difference = student.numpy() - teacher.numpy()
    scales = [difference, *(pooled(difference, cells) for cells in (4, 2, 1))]
    weights = [1, 1 / 2, 1 / 4, 1 / 8]
    expected = sum(w * (d**2).mean((1, 2, 3)) for w, d in zip(weights, scales, strict=True)) / sum(weights)
    np.testing.assert_allclose(hierarchical(teacher, student).numpy(), expected, rtol=1e-12)


def test_hierarchical_of_a_small_map_leaves_out_scales_it_does_not_exceed() -> None:
    teacher, student = torch.randn(2, 3, 4, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    difference = student.numpy() - teacher.numpy()
    expected = ((difference**2).mean((1, 2, 3)) + 0.5 * (difference.mean((2, 3)) ** 2).mean(1)) / 1.5
    np.testing.assert_allclose(hierarchical(teacher, student).numpy(), expected, rtol=1e-12)
