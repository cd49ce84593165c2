import numpy as np
import pytest
import torch

from distildoc.models.detectors.rcnn import nms
from distildoc.models.detectors.rcnn.nms import greedy_keep


def greedy(boxes, valid, groups, threshold):
    """Greedy suppression, box after box, from its definition."""
    kept = []
    for j in range(len(boxes)):
        if not valid[j]:
            continue
        for i in kept:
            left, top = np.maximum(boxes[i, :2], boxes[j, :2])
            right, bottom = np.minimum(boxes[i, 2:], boxes[j, 2:])
            common = max(right - left, 0) * max(bottom - top, 0)
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[j])]
            if groups[i] == groups[j] and common > threshold * (sum(areas) - common):
                break
        else:
            kept.append(j)
    return np.isin(np.arange(len(boxes)), kept)


def crowded(seed, count, *, pages=1):
    """Boxes on a coarse grid, so that equal boxes and equal overlaps occur."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 12, (pages, count, 2))
    return np.concatenate([corner, corner + rng.integers(1, 9, (pages, count, 2))], 2).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_the_fixed_point_is_the_greedy_answer(seed, threshold):
    boxes = crowded(seed, 120, pages=2)
    rng = np.random.default_rng(seed + 100)
    valid, groups = rng.random((2, 120)) < 0.9, rng.integers(0, 3, (2, 120))
    found = greedy_keep(
        torch.from_numpy(boxes), valid=torch.from_numpy(valid), threshold=threshold, groups=torch.from_numpy(groups)
    )
    expected = [greedy(*row, threshold) for row in zip(boxes, valid, groups, strict=True)]
    assert 10 < found.sum() < valid.sum()
    assert np.array_equal(found.numpy(), expected)


def test_of_equal_boxes_the_first_stays():
    boxes = torch.tensor([[[0.0, 0, 9, 9]] * 4])
    found = greedy_keep(boxes, valid=torch.tensor([[False, True, True, True]]), threshold=0.5)
    assert found.tolist() == [[False, True, False, False]]


def test_a_suppressed_box_suppresses_nothing():
    """Three boxes in a row, each over half of the next: the middle one goes, so the last one stays."""
    boxes = torch.tensor([[[0.0, 0, 10, 1], [2, 0, 12, 1], [4.5, 0, 14.5, 1]]])
    found = greedy_keep(boxes, valid=torch.ones(1, 3, dtype=torch.bool), threshold=0.5)
    assert found.tolist() == [[True, False, True]]


def test_an_even_number_of_rounds_never_loses_a_box(monkeypatch):
    boxes, valid = torch.from_numpy(crowded(0, 150)), torch.ones(1, 150, dtype=torch.bool)
    exact = greedy_keep(boxes, valid=valid, threshold=0.2)
    monkeypatch.setattr(nms, "is_in_onnx_export", lambda: True)
    monkeypatch.setattr(nms, "EXPORT_ROUNDS", 2)
    bounded = greedy_keep(boxes, valid=valid, threshold=0.2)
    assert (bounded | ~exact).all() and bounded.sum() > exact.sum()


def test_many_pages_are_compared_in_parts(monkeypatch):
    boxes, valid = torch.from_numpy(crowded(1, 40, pages=7)), torch.ones(7, 40, dtype=torch.bool)
    whole = greedy_keep(boxes, valid=valid, threshold=0.4)
    monkeypatch.setattr(nms, "CELLS", 3 * 40**2)
    assert torch.equal(greedy_keep(boxes, valid=valid, threshold=0.4), whole)


@pytest.mark.parametrize("shape", [(0, 5), (2, 0)])
def test_nothing_gives_nothing(shape):
    assert greedy_keep(torch.zeros(*shape, 4), valid=torch.zeros(shape, dtype=torch.bool), threshold=0.5).shape == shape
