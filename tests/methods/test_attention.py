"""methods.attention against NumPy, and what sets it apart."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.attention import build
from distildoc.schema.errors import ConfigError, TapError

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def maps(*shapes: tuple[int, ...], seed: int) -> View:
    generator = torch.Generator().manual_seed(seed)
    names = ("early", "middle", "late")
    return View(
        {}, {name: torch.randn(*shape, generator=generator) for name, shape in zip(names, shapes, strict=False)}
    )


def test_equals_the_numpy_sum_over_layers(pair_of: PairOf, batch: Batch) -> None:
    student = maps((6, 16, 8, 8), (6, 32, 4, 4), (6, 48, 2, 2), seed=0)
    teacher = maps((6, 16, 8, 8), (6, 32, 4, 4), (6, 64, 2, 2), seed=1)
    expected = 0.0
    for name in ("early", "middle", "late"):
        rows = []
        for view in (student, teacher):
            energy = (view.features[name].double().numpy() ** 2).sum(1).reshape(6, -1)
            rows.append(energy / np.linalg.norm(energy, axis=1, keepdims=True))
        expected += np.mean((rows[0] - rows[1]) ** 2)
    found = build(pair_of("cnn", "cnn"))(student, teacher, batch, CLOCK)["attention"]
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_channels_of_the_teacher_may_change_places(pair_of: PairOf, batch: Batch) -> None:
    student = maps((6, 16, 8, 8), (6, 32, 4, 4), (6, 48, 2, 2), seed=0)
    teacher = maps((6, 16, 8, 8), (6, 32, 4, 4), (6, 64, 2, 2), seed=1)
    method = build(pair_of("cnn", "cnn"))
    turned = View({}, {name: feature.flip(1) for name, feature in teacher.features.items()})
    found, other = (method(student, view, batch, CLOCK)["attention"] for view in (teacher, turned))
    torch.testing.assert_close(other, found)


def test_leading_tokens_of_the_teacher_do_not_count(pair_of: PairOf, batch: Batch) -> None:
    method = build(pair_of("cnn", "vit"), student_taps=("middle",), teacher_taps=("middle",))
    tokens, student = torch.randn(6, 17, 32), View({}, {"middle": torch.randn(6, 32, 4, 4)})
    other = torch.cat([tokens[:, :1] + 100, tokens[:, 1:]], 1)
    found, again = (method(student, View({}, {"middle": t}), batch, CLOCK)["attention"] for t in (tokens, other))
    assert torch.equal(found, again)


def test_it_learns_nothing_of_its_own_and_reads_no_outputs(pair_of: PairOf) -> None:
    method = build(pair_of("cnn", "vit"))
    assert not isinstance(method, torch.nn.Module)
    assert not method.needs.teacher_outputs


def test_taps_that_do_not_pair_up_are_an_error(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="1 of the student and 3 of the teacher"):
        build(pair_of("cnn", "cnn"), student_taps=("late",))


def test_an_unknown_tap_is_an_error_that_names_the_closest(pair_of: PairOf) -> None:
    with pytest.raises(TapError, match="closest: late"):
        build(pair_of("cnn", "cnn"), student_taps=("early", "middle", "lat"))


def test_taps_that_are_all_vectors_are_an_error(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="all of these taps are vectors of one cell"):
        build(pair_of("cnn", "cnn"), student_taps=("penultimate",), teacher_taps=("penultimate",))
