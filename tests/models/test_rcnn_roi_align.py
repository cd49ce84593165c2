import math

import numpy as np
import pytest
import torch

from distildoc.models.detectors.rcnn import roi_align as module
from distildoc.models.detectors.rcnn.roi_align import Rois, level_of, roi_align

GENERATOR = torch.Generator().manual_seed(0)


def read(cells, y, x):
    """Bilinear value of one map [C, h, w] at a point whose whole numbers are cell centres."""
    height, width = cells.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(len(cells))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    upper = cells[:, top, left] * (1 - across) + cells[:, top, right] * across
    lower = cells[:, bottom, left] * (1 - across) + cells[:, bottom, right] * across
    return upper * (1 - down) + lower * down


def slow_align(cells, box, stride, out, samples):
    """RoIAlign of one box, point after point, from its definition."""
    left, top, right, bottom = (side / stride - 0.5 for side in box)
    height, width = (bottom - top) / out, (right - left) / out
    ny, nx = (samples, samples) if samples else (max(math.ceil(height), 1), max(math.ceil(width), 1))
    found = np.zeros((len(cells), out, out))
    for i in range(out):
        for j in range(out):
            points = [
                read(cells, top + (i + (u + 0.5) / ny) * height, left + (j + (v + 0.5) / nx) * width)
                for u in range(ny)
                for v in range(nx)
            ]
            found[:, i, j] = np.mean(points, 0)
    return found


@pytest.fixture(scope="module")
def maps():
    return [torch.randn(2, 3, 12 // 2**level, 16 // 2**level, generator=GENERATOR) for level in range(3)]


def some_boxes(count, height=48, width=64, beyond=12):
    corner = torch.rand(count, 2, generator=GENERATOR) * torch.tensor([width, height]) - beyond / 2
    size = torch.rand(count, 2, generator=GENERATOR) * torch.tensor([width, height]) * 0.7
    return torch.cat([corner, corner + size], 1)


@pytest.mark.parametrize("samples", [1, 2, 0])
@pytest.mark.parametrize("out", [3, 7])
def test_equals_bilinear_sampling_point_by_point(maps, samples, out):
    boxes = some_boxes(24)
    page, level = torch.arange(24) % 2, torch.arange(24) % 3
    found = roi_align(maps, Rois(boxes, page), level=level, out=out, samples=samples)
    for row in range(24):
        cells = maps[level[row]][page[row]].numpy().astype(float)
        expected = slow_align(cells, boxes[row].tolist(), 4 * 2 ** int(level[row]), out, samples)
        assert np.allclose(found[row], expected, atol=1e-5)


def test_the_exported_form_gives_the_same(maps, monkeypatch):
    rois, level = Rois(some_boxes(10), torch.arange(10) % 2), torch.arange(10) % 3
    one = roi_align(maps, rois, level=level, out=7)
    monkeypatch.setattr(module, "is_in_onnx_export", lambda: True)
    assert torch.allclose(roi_align(maps, rois, level=level, out=7), one, atol=1e-5)


def test_a_constant_map_gives_its_value():
    boxes = torch.tensor([[3.0, 5, 40, 33], [0, 0, 64, 48]])
    found = roi_align(
        [torch.full((1, 2, 12, 16), 3.0)], Rois(boxes, torch.zeros(2).long()), level=boxes.new_zeros(2).long(), out=7
    )
    assert torch.allclose(found, torch.tensor(3.0))


def test_points_off_the_map_read_zero():
    away = torch.tensor([[200.0, 200, 240, 240]])
    found = roi_align([torch.ones(1, 2, 12, 16)], Rois(away, torch.zeros(1).long()), level=torch.zeros(1).long(), out=3)
    assert not found.any()


def test_gradients_reach_the_map_as_finite_differences_say(maps):
    doubles = [one.double()[:, :1, :4, :4].requires_grad_() for one in maps[:1]]
    rois = Rois(torch.tensor([[1.0, 2, 11, 13], [3, 0, 9, 15]]).double(), torch.tensor([0, 1]))
    assert torch.autograd.gradcheck(lambda one: roi_align([one], rois, level=torch.zeros(2).long(), out=2), doubles)


def test_no_boxes_give_no_features(maps):
    none = torch.zeros(0, dtype=torch.long)
    assert roi_align(maps, Rois(torch.zeros(0, 4), none), level=none, out=7).shape == (0, 3, 7, 7)


def test_levels_equal_the_papers_examples():
    """FPN, section 4.2: 224 px is read from the third map, half of it from the second, ends are held."""
    sides = torch.tensor([224.0, 223.0, 112.0, 448.0, 10.0, 2000.0])
    boxes = torch.stack([torch.zeros(6), torch.zeros(6), sides, sides], 1)
    assert level_of(boxes, anchor=32, levels=4).tolist() == [2, 1, 1, 3, 0, 3]
