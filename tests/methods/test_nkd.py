"""methods.nkd against NumPy and its identities."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.nkd import build
from distildoc.methods.supervised import build as build_supervised

CLOCK = Clock(0, 1, 0.0)
LABELLED = np.arange(5)  # page i of the first five has class i; the sixth has none


def scores() -> tuple[torch.Tensor, torch.Tensor]:
    teacher, student = 2 * torch.randn(2, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return teacher, student


def numpy_nkd(teacher: np.ndarray, student: np.ndarray, temperature: float, gamma: float) -> float:
    pages = []
    for t, s, c in zip(teacher, student, LABELLED, strict=False):
        target = -softmax(t)[c] * log_softmax(s)[c]
        p, q = softmax(np.delete(t, c) / temperature), softmax(np.delete(s, c) / temperature)
        pages.append(target - gamma * temperature**2 * (p * np.log(q)).sum())
    return float(np.mean(pages))


@pytest.mark.parametrize(("temperature", "gamma"), [(1.0, 1.5), (3.0, 2.0)])
def test_alone_equals_the_formula_in_numpy(
    temperature: float, gamma: float, pair_of: Callable[..., Pair], batch: Batch
) -> None:
    teacher, student = scores()
    method = build(pair_of(), temperature=temperature, gamma=gamma, variant="alone")
    losses = method(View({"logits": student}), View({"logits": teacher}), batch, CLOCK)
    assert set(losses) == {"target", "non_target"}
    expected = numpy_nkd(teacher.numpy(), student.numpy(), temperature, gamma)
    assert sum(losses.values()).item() == pytest.approx(expected, rel=1e-9)


def test_default_is_alone_plus_the_supervised_term(pair_of: Callable[..., Pair], batch: Batch) -> None:
    teacher, student = (View({"logits": logits}) for logits in scores())
    pair = pair_of()
    whole = sum(build(pair)(student, teacher, batch, CLOCK).values())
    alone = sum(build(pair, variant="alone")(student, teacher, batch, CLOCK).values())
    labels = build_supervised(pair)(student, teacher, batch, CLOCK)["cross_entropy"]
    torch.testing.assert_close(whole, alone + labels)


def test_target_part_is_cross_entropy_where_the_teacher_is_certain(pair_of: Callable[..., Pair], batch: Batch) -> None:
    _, student = scores()
    certain = torch.zeros(6, 5, dtype=torch.float64)
    certain[LABELLED, LABELLED] = 1000.0
    losses = build(pair_of())(View({"logits": student}), View({"logits": certain}), batch, CLOCK)
    torch.testing.assert_close(losses["target"], losses["cross_entropy"], check_dtype=False)


def test_gradient_of_the_non_target_part_vanishes_at_agreement(pair_of: Callable[..., Pair], batch: Batch) -> None:
    teacher, _ = scores()
    student = teacher.clone().requires_grad_()
    build(pair_of())(View({"logits": student}), View({"logits": teacher}), batch, CLOCK)["non_target"].backward()
    assert student.grad is not None and student.grad.abs().max() < 1e-12


def test_the_page_without_a_label_changes_nothing(pair_of: Callable[..., Pair], batch: Batch) -> None:
    teacher, student = scores()
    method = build(pair_of())
    losses = method(View({"logits": student}), View({"logits": teacher}), batch, CLOCK)
    student[5] += torch.arange(5)
    again = method(View({"logits": student}), View({"logits": teacher}), batch, CLOCK)
    assert all(torch.equal(losses[name], again[name]) for name in losses)
