"""methods.fsp against NumPy, and what it learns where channels differ."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.fsp import PAPER, Flows, build
from distildoc.schema.errors import ConfigError

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def maps(*shapes: tuple[int, ...], seed: int) -> View:
    generator = torch.Generator().manual_seed(seed)
    names = ("early", "middle", "late")
    return View({}, {name: torch.randn(*shape, generator=generator) for name, shape in zip(names, shapes, strict=True)})


def numpy_flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """With the first map averaged over 2 x 2 cells, as it is twice as large."""
    pages, channels, height, width = first.shape
    pooled = first.reshape(pages, channels, height // 2, 2, width // 2, 2).mean((3, 5))
    return np.einsum("bchw,bdhw->bcd", pooled, second) / (second.shape[2] * second.shape[3])


def test_equals_the_numpy_sum_over_the_steps_from_layer_to_layer(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "none")
    method = build(replace(pair, teacher=pair_of("cnn", "none").student))
    student, teacher = (maps((6, 16, 8, 8), (6, 32, 4, 4), (6, 48, 2, 2), seed=seed) for seed in (0, 1))
    flows = []
    for view in (student, teacher):
        early, middle, late = (view.features[name].double().numpy() for name in ("early", "middle", "late"))
        flows.append((numpy_flow(early, middle), numpy_flow(middle, late)))
    expected = sum(np.mean((own - theirs) ** 2) for own, theirs in zip(*flows, strict=True))
    assert method(student, teacher, batch, CLOCK)["flow"].item() == pytest.approx(expected, rel=1e-4)


def test_with_equal_channels_nothing_is_learned_and_twins_agree(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "none")
    method = build(replace(pair, teacher=pair.student))
    assert isinstance(method, Flows)
    assert not list(method.parameters())
    view = maps((6, 16, 8, 8), (6, 32, 4, 4), (6, 48, 2, 2), seed=0)
    assert method(view, view, batch, CLOCK)["flow"].item() == 0


def test_only_maps_of_other_widths_get_a_convolution(pair_of: PairOf) -> None:
    method = build(pair_of("cnn", "cnn"))
    assert isinstance(method, Flows)
    assert [type(layer) for layer in method.widen] == [nn.Identity, nn.Identity, nn.Conv2d]
    assert {name for name, _ in method.named_parameters()} == {"widen.2.weight"}
    assert method.get_parameter("widen.2.weight").shape == (64, 48, 1, 1)


def test_a_single_tap_is_an_error(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="at least two"):
        build(pair_of("cnn", "cnn"), student_taps=("late",), teacher_taps=("late",))


def test_its_paper_is_known_by_its_doi() -> None:
    assert str(PAPER) == "Yim et al. 2017, doi:10.1109/CVPR.2017.754"
    assert PAPER.url == "https://doi.org/10.1109/CVPR.2017.754"
