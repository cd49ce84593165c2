"""methods.fitnet against hand values and NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.fitnet import Hint, Hints, build
from distildoc.models.grids import Grid
from distildoc.schema.errors import ConfigError, TapError

CLOCK = Clock(0, 1, 0.0)
FLAT = (Grid(), Grid())


def view(feature: torch.Tensor) -> View:
    return View({}, {"middle": feature})


def test_one_step_of_descent_is_the_hand_value(batch: Batch) -> None:
    regressor = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(regressor.weight, 2.0)
    hint = Hint(regressor, taps=("middle", "middle"), grids=FLAT)
    student, teacher = view(torch.full((1, 1, 1, 1), 3.0)), view(torch.full((1, 1, 1, 1), 5.0))
    loss = hint(student, teacher, batch, CLOCK)["mse"]
    assert loss.item() == 1.0  # (2 x 3 - 5)^2
    loss.backward()
    assert regressor.weight.grad is not None and regressor.weight.grad.item() == 6.0  # 2 x (6 - 5) x 3
    torch.optim.SGD(hint.parameters(), lr=0.1).step()
    assert hint(student, teacher, batch, CLOCK)["mse"].item() == pytest.approx(0.64)  # (1.4 x 3 - 5)^2


def test_equals_convolution_and_batch_norm_in_numpy(pair_of: Callable[..., Pair], batch: Batch) -> None:
    hint = build(pair_of("cnn", "cnn"), student_tap="stage:0", teacher_tap="stage:0")
    assert isinstance(hint, Hint)
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(6, 16, 4, 4, generator=generator)
    teacher = torch.randn(6, 16, 4, 4, generator=generator)
    weight = hint.regressor.state_dict()["0.weight"][:, :, 0, 0].double().numpy()
    mapped = np.einsum("oc,bchw->bohw", weight, student.double().numpy())
    mean, variance = mapped.mean((0, 2, 3), keepdims=True), mapped.var((0, 2, 3), keepdims=True)
    expected = np.mean(((mapped - mean) / np.sqrt(variance + 1e-5) - teacher.double().numpy()) ** 2)
    found = hint(View({}, {"stage:0": student}), View({}, {"stage:0": teacher}), batch, CLOCK)["mse"]
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_leading_tokens_of_the_teacher_are_not_compared(pair_of: Callable[..., Pair], batch: Batch) -> None:
    hint = build(pair_of("cnn", "vit"))
    generator = torch.Generator().manual_seed(0)
    student = view(torch.randn(6, 32, 4, 4, generator=generator))
    tokens = torch.randn(6, 17, 32, generator=generator)
    loss = hint(student, view(tokens), batch, CLOCK)["mse"]
    other = torch.cat([tokens[:, :1] + 100, tokens[:, 1:]], 1)
    assert torch.equal(hint(student, view(other), batch, CLOCK)["mse"], loss)


@pytest.mark.parametrize("cells", [2, 8])
def test_the_larger_map_is_averaged_down(cells: int, batch: Batch) -> None:
    hint = Hint(nn.Identity(), taps=("middle", "middle"), grids=FLAT)
    large, small = torch.randn(2, 3, 8, 8), torch.randn(2, 3, cells, cells)
    step = 8 // cells
    pooled = large.numpy().reshape(2, 3, cells, step, cells, step).mean((3, 5))
    expected = np.mean((pooled - small.numpy()) ** 2)
    for student, teacher in ((large, small), (small, large)):
        found = hint(view(student), view(teacher), batch, CLOCK)["mse"]
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_only_the_variant_without_relu_can_reach_negative_features(pair_of: Callable[..., Pair], batch: Batch) -> None:
    lowest = {}
    for variant in ("linear", "relu"):
        hint = build(pair_of("cnn", "vit"), regressor=variant)
        assert isinstance(hint, Hint)
        lowest[variant] = hint.regressor(torch.randn(4, 32, 4, 4)).min().item()
    assert lowest["linear"] < 0
    assert lowest["relu"] == 0


@pytest.mark.parametrize("tap", ["early", "late", "map", "penultimate", "stage:1", "depth:0.75"])
def test_works_at_any_depth(tap: str, pair_of: Callable[..., Pair]) -> None:
    needs = build(pair_of("vit", "cnn"), student_tap=tap, teacher_tap=tap).needs
    assert (needs.student_taps, needs.teacher_taps, needs.teacher_outputs) == ((tap,), (tap,), False)


def test_a_single_page_of_single_cells_can_be_trained_on(pair_of: Callable[..., Pair], batch: Batch) -> None:
    hint = build(pair_of("cnn", "vit"), student_tap="penultimate", teacher_tap="penultimate")
    student, teacher = View({}, {"penultimate": torch.randn(1, 48)}), View({}, {"penultimate": torch.randn(1, 32)})
    assert torch.isfinite(hint(student, teacher, batch, CLOCK)["mse"])


def test_an_unknown_tap_is_an_error_that_names_the_closest(pair_of: Callable[..., Pair]) -> None:
    with pytest.raises(TapError, match="closest: middle"):
        build(pair_of("cnn", "cnn"), student_tap="midle")


def test_without_a_teacher_model_the_error_says_what_to_name(pair_of: Callable[..., Pair]) -> None:
    with pytest.raises(ConfigError, match=r"'fitnet' reads features .* name a single `teacher`"):
        build(pair_of("cnn", "none"))


def test_all_levels_give_the_mean_of_a_hint_a_level(layout_pair_of: Callable[..., Pair], layout_batch: Batch) -> None:
    hints = build(layout_pair_of(), student_tap="levels", teacher_tap="levels")
    assert isinstance(hints, Hints)
    assert hints.needs.student_taps == hints.needs.teacher_taps == ("level:0", "level:1", "level:2")
    student, teacher = (
        View({}, {f"level:{i}": torch.randn(5, width, side, side) for i, side in enumerate((8, 4, 2))})
        for width in (32, 48)
    )
    each = []
    for i, hint in enumerate(hints.hints):
        mapped = hint.get_submodule("regressor")(student.features[f"level:{i}"]).detach().numpy()
        each.append(np.mean((mapped - teacher.features[f"level:{i}"].numpy()) ** 2))
    found = hints(student, teacher, layout_batch, CLOCK)["mse"]
    assert found.item() == pytest.approx(np.mean(each), rel=1e-5)


def test_one_level_can_be_named(layout_pair_of: Callable[..., Pair]) -> None:
    needs = build(layout_pair_of(), student_tap="level:1", teacher_tap="level:0").needs
    assert (needs.student_taps, needs.teacher_taps) == (("level:1",), ("level:0",))


def test_levels_against_a_single_tap_are_an_error(layout_pair_of: Callable[..., Pair]) -> None:
    with pytest.raises(ConfigError, match="taps are 'levels' and 'middle'; set both to levels"):
        build(layout_pair_of(), student_tap="levels")
