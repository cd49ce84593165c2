"""losses.boxes against NumPy, pycocotools, transformers and hand values."""

import numpy as np
import pytest
import torch
from pycocotools import mask
from transformers.loss.loss_for_object_detection import generalized_box_iou

from distildoc.losses.boxes import area, cxcywh, giou, iou, l1, xyxy


def boxes(count: int, seed: int) -> torch.Tensor:
    """[N, 4] left, top, right, bottom within the page."""
    corners = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.cat([corners.amin(1), corners.amax(1)], 1)


def test_centre_and_corners_are_the_hand_values() -> None:
    assert xyxy(torch.tensor([0.5, 0.4, 0.2, 0.6])).tolist() == pytest.approx([0.4, 0.1, 0.6, 0.7])
    assert cxcywh(torch.tensor([0.4, 0.1, 0.6, 0.7])).tolist() == pytest.approx([0.5, 0.4, 0.2, 0.6])


def test_iou_of_all_pairs_equals_pycocotools() -> None:
    first, second = boxes(20, 0), boxes(30, 1)

    def left_top_width_height(values: torch.Tensor) -> np.ndarray:
        return np.concatenate([values[:, :2], values[:, 2:] - values[:, :2]], 1)

    expected = mask.iou(left_top_width_height(first), left_top_width_height(second), np.zeros(30, dtype=np.uint8))
    np.testing.assert_allclose(iou(first[:, None], second[None]).numpy(), expected, rtol=1e-6, atol=1e-9)


def test_giou_of_all_pairs_equals_transformers() -> None:
    first, second = boxes(20, 0), boxes(30, 1)
    torch.testing.assert_close(giou(first[:, None], second[None]), generalized_box_iou(first, second))


def test_giou_of_two_boxes_apart_is_the_hand_value() -> None:
    first, second = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([2.0, 0.0, 3.0, 1.0])
    assert iou(first, second).item() == 0
    assert giou(first, second).item() == pytest.approx(-1 / 3)  # a hull of 3, of which 1 is in neither


def test_l1_is_the_sum_of_four_differences() -> None:
    assert l1(torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([0.2, 0.0, 0.3, 0.9])).item() == pytest.approx(0.8)


def test_equal_boxes_overlap_in_full_to_the_last_bit() -> None:
    same = boxes(200, 2).float()
    assert (iou(same, same) == 1).all()
    assert (giou(same, same) == 1).all()


def test_a_box_without_area_overlaps_nothing() -> None:
    line, whole = torch.tensor([0.2, 0.3, 0.2, 0.9]), torch.tensor([0.0, 0.0, 1.0, 1.0])
    inside_out = torch.tensor([0.9, 0.9, 0.1, 0.1])
    assert area(inside_out).item() == 0
    assert [iou(one, other).item() for one, other in ((line, line), (line, whole), (inside_out, whole))] == [0, 0, 0]


@pytest.mark.parametrize("loss", [iou, giou, l1])
def test_gradient_agrees_with_finite_differences(loss) -> None:
    first, second = boxes(8, 3), boxes(8, 4)
    assert torch.autograd.gradcheck(lambda x: loss(x, second), (first.requires_grad_(),))


@pytest.mark.parametrize("loss", [iou, giou, l1])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e4])
def test_gradient_is_finite_at_equal_and_extreme_boxes(loss, size: float) -> None:
    first = (size * boxes(8, 3).float()).requires_grad_()
    for second in (first.detach(), size * boxes(8, 4).float()):
        values = loss(first, second)
        (gradient,) = torch.autograd.grad(values.sum(), first)
        assert torch.isfinite(values).all()
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("loss", [iou, giou, l1])
def test_half_precision_is_computed_in_fp32(loss) -> None:
    first, second = boxes(8, 3).bfloat16(), boxes(8, 4).bfloat16()
    assert loss(first, second).dtype == torch.float32
    assert torch.equal(loss(first, second), loss(first.float(), second.float()))
