"""methods.reviewkd: fusion and loss against NumPy, and what is compared with what."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.features import hierarchical
from distildoc.methods.reviewkd import ReviewKD, build
from distildoc.models.fusion import Fusion, ReviewedLevels

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def normed(feature: np.ndarray) -> np.ndarray:
    """A new batch norm in training mode."""
    mean, variance = feature.mean((0, 2, 3), keepdims=True), feature.var((0, 2, 3), keepdims=True)
    return (feature - mean) / np.sqrt(variance + 1e-5)


def pointwise(layer: nn.Module, feature: np.ndarray) -> np.ndarray:
    weight = layer.get_parameter("weight").detach().double().numpy()[:, :, 0, 0]
    return np.einsum("oc,bchw->bohw", weight, feature)


def test_the_residual_equals_the_numpy_lines_of_the_paper() -> None:
    torch.manual_seed(0)
    level = Fusion(3, 5, width=4, coarsest=False)
    assert level.attention is not None
    feature, coarser = torch.randn(2, 3, 4, 6), torch.randn(2, 4, 2, 3)
    mine = normed(pointwise(level.narrow.get_submodule("0"), feature.double().numpy()))
    above = coarser.double().numpy().repeat(2, 2).repeat(2, 3)
    gates = pointwise(level.attention.get_submodule("0"), np.concatenate([mine, above], 1))
    gates = 1 / (1 + np.exp(-gates - level.attention.get_parameter("0.bias").detach().numpy()[:, None, None]))
    expected = mine * gates[:, :1] + above * gates[:, 1:]
    out, residual = level(feature, coarser)
    np.testing.assert_allclose(residual.detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    widened = functional.conv2d(residual, level.widen.get_parameter("0.weight"), padding=1)
    np.testing.assert_allclose(out.detach().numpy(), normed(widened.detach().numpy()), rtol=1e-3, atol=1e-4)


def test_a_coarse_level_reaches_all_finer_ones_and_no_coarser_one() -> None:
    fusion = ReviewedLevels([3, 3, 3], [5, 6, 7], width=4).eval()
    maps = [torch.randn(1, 3, side, side) for side in (8, 4, 2)]
    before = fusion(maps)
    after = fusion([maps[0], maps[1] + 1, maps[2]])
    assert [out.shape[1:] for out in before] == [(5, 8, 8), (6, 4, 4), (7, 2, 2)]
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [False, False, True]


def test_the_loss_is_the_mean_of_levels_and_pages(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    method = build(layout_pair_of(), width=8)
    assert isinstance(method, ReviewKD)
    sides = (8, 4, 2)
    student = {f"level:{i}": torch.randn(5, 32, side, side) for i, side in enumerate(sides)}
    teacher = {f"level:{i}": torch.randn(5, 48, side, side) for i, side in enumerate(sides)}
    found = method(View({}, student), View({}, teacher), layout_batch, CLOCK)["context"]
    reviewed = method.fusion(list(student.values()))
    expected = np.mean([hierarchical(t, s).detach() for t, s in zip(teacher.values(), reviewed, strict=True)])
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_pyramids_of_unlike_strides_meet_where_they_are_nearest(layout_pair_of: PairOf) -> None:
    needs = build(layout_pair_of("d-fine-2", "d-fine")).needs
    assert needs.student_taps == ("level:0", "level:1")
    assert needs.teacher_taps == ("level:1", "level:2")


def test_blocks_of_classifiers_are_taken_at_equal_shares_of_the_depth(pair_of: PairOf) -> None:
    needs = build(pair_of("vit", "vit")).needs
    assert needs.student_taps == ("stage:0", "stage:1")
    assert needs.teacher_taps == ("stage:1", "stage:3")
