"""losses.instances against hand values and NumPy."""

import math

import numpy as np
import pytest
import torch

from distildoc.losses.instances import attended_values, edge_distance, real_or_not


def test_attended_values_equal_the_numpy_line() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher, student = torch.randn(2, 2, 3, 5, 4, dtype=torch.float64, generator=generator)
    attention = torch.rand(2, 3, 5, dtype=torch.float64, generator=generator)
    difference = ((student.numpy() - teacher.numpy()) ** 2).mean(-1)
    expected = ((difference * attention.numpy()).sum(-1) / attention.numpy().sum(-1)).mean(-1)
    np.testing.assert_allclose(attended_values(teacher, student, attention).numpy(), expected, rtol=1e-12)
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: attended_values(teacher, s, attention), (student,))


def test_a_page_without_attention_gives_zero() -> None:
    values = torch.ones(1, 2, 3, 4)
    assert attended_values(values, -values, torch.zeros(1, 2, 3)).item() == 0


def test_real_or_not_is_the_cross_entropy_of_those_present() -> None:
    logits = torch.tensor([[0.0, math.log(3), 50.0], [9.0, 9.0, 9.0]])
    present = torch.tensor([[True, True, False], [False, False, False]])
    found = real_or_not(logits, torch.tensor([[True, False, False], [True, True, True]]), present)
    assert found.tolist() == pytest.approx([(math.log(2) + math.log(4)) / 2, 0])  # sigmoid(log 3) = 3/4


def test_edge_distance_is_relative_to_the_size_of_the_box() -> None:
    boxes = torch.tensor([[[0.5, 0.5, 0.4, 0.2], [0.5, 0.5, 0.1, 0.1]]])
    centres = torch.tensor([[[0.6, 0.5], [0.0, 0.0]]])  # 0.3 to the left edge, 0.1 to the right, 0.1 up and down
    guess = torch.tensor([[[0.3, 0.1, 0.1, 0.1], [1.0, 1.0, 1.0, 1.0]]])
    real = torch.tensor([[True, False]])
    assert edge_distance(guess, centres, boxes, real).item() == pytest.approx(0, abs=1e-6)
    guess = guess + torch.tensor([0.04, 0.02, 0.0, 0.0])
    assert edge_distance(guess, centres, boxes, real).item() == pytest.approx(0.04 / 0.4 + 0.02 / 0.2, rel=1e-5)


def test_a_box_without_area_is_finite() -> None:
    boxes = torch.tensor([[[0.5, 0.5, 0.0, 0.0]]])
    assert torch.isfinite(edge_distance(torch.ones(1, 1, 4), boxes[..., :2], boxes, torch.tensor([[True]]))).all()
