import math

import pytest
import torch

from distildoc.models.detectors.rcnn.boxes import (
    ANCHOR_WEIGHTS,
    ROI_WEIGHTS,
    clipped,
    in_pixels,
    in_shares,
    moved,
    offsets,
)


def test_offsets_equal_a_hand_value():
    """A 10 x 20 box at (5, 10), and one twice as wide whose centre lies 5 px further right and 2 px lower."""
    found = offsets(torch.tensor([0.0, 0, 10, 20]), torch.tensor([0.0, 2, 20, 22]), ANCHOR_WEIGHTS)
    assert torch.allclose(found, torch.tensor([0.5, 0.1, math.log(2), 0.0]))


def test_weights_multiply_the_offsets():
    before, after = torch.tensor([0.0, 0, 10, 20]), torch.tensor([0.0, 2, 20, 22])
    found = offsets(before, after, ROI_WEIGHTS)
    assert torch.allclose(found, offsets(before, after, ANCHOR_WEIGHTS) * torch.tensor([10.0, 10, 5, 5]))


@pytest.mark.parametrize("weights", [ANCHOR_WEIGHTS, ROI_WEIGHTS])
def test_moving_by_the_offsets_gives_the_box(weights):
    corner, size = torch.rand(2, 50, 2, generator=torch.Generator().manual_seed(0)).mul(100).unbind(0)
    boxes = torch.cat([corner, corner + size + 1], 1)
    references = boxes.roll(1, 0)
    assert torch.allclose(moved(references, offsets(references, boxes, weights), weights), boxes, atol=1e-3)


def test_a_box_grows_by_a_bounded_factor():
    grown = moved(torch.tensor([0.0, 0, 16, 16]), torch.tensor([0.0, 0, 50, 50]), ANCHOR_WEIGHTS)
    assert torch.allclose(grown[2:] - grown[:2], torch.tensor(1000.0))


def test_boxes_are_cut_at_the_edges_of_the_input():
    assert clipped(torch.tensor([-5.0, 3, 70, 90]), (40, 60)).tolist() == [0, 3, 60, 40]


def test_shares_and_pixels_are_inverse_and_equal_a_hand_value():
    shares = torch.tensor([0.5, 0.25, 0.5, 0.5])
    assert in_pixels(shares, (40, 80)).tolist() == [20, 0, 60, 20]
    assert torch.allclose(in_shares(in_pixels(shares, (40, 80)), (40, 80)), shares)
