"""methods.rkd against NumPy, and the identities of its two losses."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.rkd import build
from distildoc.schema.errors import ConfigError
from distildoc.teach.check import check_terms
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def view(features: Tensor) -> View:
    return View({}, {"penultimate": features})


def huber(off: np.ndarray) -> np.ndarray:
    return np.where(np.abs(off) < 1, off**2 / 2, np.abs(off) - 0.5)


def test_equals_the_numpy_lines_with_the_papers_weights(pair_of: PairOf, batch: Batch) -> None:
    generator = torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(6, width, dtype=torch.float64, generator=generator) for width in (64, 48))
    distances, cosines = [], []
    for rows in (teacher.numpy(), student.numpy()):
        apart = rows[None] - rows[:, None]
        size = np.linalg.norm(apart, axis=-1)
        distances.append(size / size[size > 0].mean())
        unit = apart / np.where(size > 0, size, 1)[..., None]
        cosines.append(np.einsum("ijd,ikd->ijk", unit, unit))
    found = build(pair_of("cnn", "cnn"))(view(student), view(teacher), batch, CLOCK)
    assert found["distance"].item() == pytest.approx(25 * huber(distances[1] - distances[0]).mean(), rel=1e-9)
    assert found["angle"].item() == pytest.approx(50 * huber(cosines[1] - cosines[0]).mean(), rel=1e-9)


def test_turning_scaling_and_moving_the_students_features_changes_nothing(pair_of: PairOf, batch: Batch) -> None:
    generator = torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(6, width, dtype=torch.float64, generator=generator) for width in (64, 48))
    turn = torch.linalg.qr(torch.randn(48, 48, dtype=torch.float64, generator=generator)).Q
    method = build(pair_of("cnn", "cnn"))
    found, moved = (method(view(s), view(teacher), batch, CLOCK) for s in (student, 9.0 * student @ turn + 4.0))
    for name in ("distance", "angle"):
        torch.testing.assert_close(moved[name], found[name])


@pytest.mark.parametrize("left_out", ["distance", "angle"])
def test_a_weight_of_zero_leaves_one_loss_out(left_out: str, pair_of: PairOf, batch: Batch) -> None:
    method = build(pair_of("cnn", "cnn"), **{left_out: 0.0})  # type: ignore[arg-type]
    found = method(view(torch.randn(6, 48)), view(torch.randn(6, 64)), batch, CLOCK)
    assert set(found) == {"distance", "angle"} - {left_out}


def test_without_any_weight_it_is_an_error(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="both 0 compares nothing"):
        build(pair_of("cnn", "cnn"), distance=0.0, angle=0.0)


def test_batches_cannot_be_accumulated(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    method = build(pair)
    distiller = Distiller(pair.student, [Term("rkd", method, constant(1.0))])
    with pytest.raises(ConfigError, match="compares the pages of a batch"):
        check_terms(distiller, Live(pair.teacher, taps=method.needs.teacher_taps, outputs=False), accumulate=2)


def test_a_batch_of_one_page_gives_zero(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    student = torch.randn(1, 48, requires_grad=True)
    losses = build(replace(pair))(view(student), view(torch.randn(1, 64)), batch, CLOCK)
    total = losses["distance"] + losses["angle"]
    total.backward()
    assert total.item() == 0
    assert student.grad is not None and torch.isfinite(student.grad).all()
