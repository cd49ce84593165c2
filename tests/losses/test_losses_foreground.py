"""losses.foreground against hand values and NumPy."""

import numpy as np
import torch

from distildoc.losses.foreground import (
    attended,
    attention_gap,
    channel_attention,
    covered,
    scale_weights,
    spatial_attention,
)


def softmax(values: np.ndarray) -> np.ndarray:
    lifted = np.exp(values - values.max(-1, keepdims=True))
    return lifted / lifted.sum(-1, keepdims=True)


def maps() -> tuple[torch.Tensor, torch.Tensor]:
    teacher, student = torch.randn(2, 3, 5, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return teacher, student


def test_a_box_covers_every_cell_it_reaches_into_and_not_those_it_only_touches() -> None:
    boxes = torch.tensor([[[0.375, 0.25, 0.25, 0.5], [0.5, 0.5, 0.02, 0.02]]])  # columns 1 and 2 of 4 hold 0.25 to 0.5
    cells = covered(boxes, torch.tensor([[True, True]]), (2, 4))
    assert cells[0, 0].tolist() == [[False, True, False, False], [False, False, False, False]]
    assert cells[0, 1].tolist() == [[False, True, True, False], [False, True, True, False]]


def test_boxes_that_are_not_there_cover_nothing() -> None:
    cells = covered(torch.full((1, 2, 4), 0.5), torch.tensor([[True, False]]), (4, 4))
    assert cells[0, 0].any() and not cells[0, 1].any()


def test_a_cell_weighs_one_over_the_cells_of_the_smallest_box_on_it() -> None:
    boxes = torch.tensor([[[0.5, 0.5, 1.0, 1.0], [0.25, 0.25, 0.5, 0.5]]])
    weights = scale_weights(covered(boxes, torch.tensor([[True, True]]), (4, 4)))
    expected = np.full((4, 4), 1 / 16)
    expected[:2, :2] = 1 / 4
    np.testing.assert_allclose(weights[0].numpy(), expected, rtol=1e-6)


def test_weights_of_a_box_on_its_own_add_up_to_one_and_of_none_to_zero() -> None:
    boxes = torch.tensor([[[0.3, 0.4, 0.35, 0.1]], [[0.5, 0.5, 0.5, 0.5]]])
    weights = scale_weights(covered(boxes, torch.tensor([[True], [False]]), (7, 5)))
    torch.testing.assert_close(weights.sum((1, 2)), torch.tensor([1.0, 0.0]))


def test_attention_equals_the_numpy_lines_of_the_paper() -> None:
    teacher, _ = maps()
    strength = np.abs(teacher.numpy())
    spatial = 24 * softmax(strength.mean(1).reshape(3, 24) / 0.5).reshape(3, 4, 6)
    channel = 5 * softmax(strength.mean((2, 3)) / 0.5)
    np.testing.assert_allclose(spatial_attention(teacher, temperature=0.5).numpy(), spatial, rtol=1e-10)
    np.testing.assert_allclose(channel_attention(teacher, temperature=0.5).numpy(), channel, rtol=1e-10)


def test_the_attended_difference_equals_the_numpy_line_of_the_paper() -> None:
    teacher, student = maps()
    spatial = spatial_attention(teacher, temperature=0.5).numpy()
    channel = channel_attention(teacher, temperature=0.5).numpy()[:, :, None, None]
    expected = (channel * (student.numpy() - teacher.numpy()) ** 2).mean(1) * spatial
    np.testing.assert_allclose(attended(teacher, student, temperature=0.5).numpy(), expected, rtol=1e-10)


def test_gradients_agree_with_finite_differences() -> None:
    teacher, student = (each[:1, :2, :2, :2].clone() for each in maps())
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: attended(teacher, s, temperature=0.5), (student,))
    assert torch.autograd.gradcheck(lambda s: attention_gap(teacher, s, temperature=0.5), (student,))


def test_equal_maps_have_no_gap() -> None:
    teacher, _ = maps()
    assert attention_gap(teacher, teacher.clone(), temperature=0.5).abs().max() == 0
