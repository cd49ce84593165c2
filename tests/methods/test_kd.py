"""methods.kd against NumPy, and DistilDoc's weighted sum."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.kd import build
from distildoc.methods.supervised import build as build_supervised
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live

CLOCK = Clock(0, 1, 0.0)


def numpy_kd(teacher: np.ndarray, student: np.ndarray, temperature: float) -> float:
    p = softmax(teacher / temperature, -1)
    pages = (p * (np.log(p) - log_softmax(student / temperature, -1))).sum(-1)
    return float(temperature**2 * pages.mean())  # over pages, not over pages and classes


@pytest.mark.parametrize("temperature", [1.0, 2.5, 20.0])
def test_equals_the_numpy_line_with_a_mean_over_pages(
    temperature: float, pair_of: Callable[..., Pair], batch: Batch
) -> None:
    teacher, student = torch.randn(2, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    method = build(pair_of(), temperature=temperature)
    found = method(View({"logits": student}), View({"logits": teacher}), batch, CLOCK)["kl"]
    assert found.item() == pytest.approx(numpy_kd(teacher.numpy(), student.numpy(), temperature), rel=1e-9)


def test_half_and_half_is_the_sum_of_the_paper(pair_of: Callable[..., Pair], batch: Batch) -> None:
    pair = pair_of("cnn", "vit")
    assert pair.teacher is not None
    half = constant(0.5)
    terms = [Term("supervised", build_supervised(pair), half), Term("kd", build(pair, temperature=2.5), half)]
    total, losses = Distiller(pair.student.eval(), terms).eval()(batch, Live(pair.teacher)(batch), CLOCK)
    with torch.no_grad():
        teacher = pair.teacher(batch.inputs)["logits"].double().numpy()
        student = pair.student(batch.inputs)["logits"].double().numpy()
    cross_entropy = -log_softmax(student, -1)[np.arange(5), np.arange(5)].mean()
    expected = 0.5 * cross_entropy + 0.5 * numpy_kd(teacher, student, 2.5)
    assert total.item() == pytest.approx(expected, rel=1e-4)
    assert losses["kd"].item() == pytest.approx(numpy_kd(teacher, student, 2.5), rel=1e-3)


def test_several_experts_are_an_error(pair_of: Callable[..., Pair], batch: Batch) -> None:
    view = View({"logits": torch.zeros(6, 5)})
    with pytest.raises(ValueError, match="one teacher, got 2"):
        build(pair_of())(view, [view, view], batch, CLOCK)
