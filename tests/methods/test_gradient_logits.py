"""methods.gradient_logits against NumPy and the methods that it lies between."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import softmax

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods import kd, logit_mse
from distildoc.methods.gradient_logits import GradientLogits, build
from distildoc.schema.errors import ConfigError

CLOCK = Clock(0, 1, 0.0)


def views(seed: int = 0) -> tuple[View, View]:
    logits = 2 * torch.randn(2, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return View({"logits": logits[0]}), View({"logits": logits[1]})


def test_equals_numpy_with_weights_of_mean_one(pair_of: Callable[..., Pair], batch: Batch) -> None:
    method, (student, teacher) = build(pair_of(), temperature=2.0), views()
    assert isinstance(method, GradientLogits)
    method.survey([(batch, teacher)])
    p = softmax(teacher.outputs["logits"].numpy() / 2, -1)
    weight = p * (1 - p) / 4
    change = (student.outputs["logits"] - teacher.outputs["logits"]).numpy()
    expected = np.mean(weight / weight.mean() * change**2)
    assert method(student, teacher, batch, CLOCK)["square"].item() == pytest.approx(expected, rel=1e-10)


def test_the_mean_weight_is_over_pages_not_over_batches(pair_of: Callable[..., Pair], batch: Batch) -> None:
    whole, parts = build(pair_of()), build(pair_of())
    assert isinstance(whole, GradientLogits) and isinstance(parts, GradientLogits)
    teacher = views()[1].outputs["logits"]
    whole.survey([(batch, View({"logits": teacher}))])
    parts.survey([(batch, View({"logits": rows})) for rows in (teacher[:5], teacher[5:])])
    assert parts.mean == pytest.approx(whole.mean)


@pytest.mark.parametrize("seed", [0, 1])
def test_is_logit_mse_where_the_teacher_is_undecided(pair_of: Callable[..., Pair], batch: Batch, seed: int) -> None:
    method, (student, _) = build(pair_of()), views(seed)
    assert isinstance(method, GradientLogits)
    undecided = View({"logits": torch.full((6, 5), 3.0, dtype=torch.float64)})
    method.survey([(batch, undecided)])
    plain = logit_mse.build(pair_of())(student, undecided, batch, CLOCK)["mse"]
    torch.testing.assert_close(method(student, undecided, batch, CLOCK)["square"], plain)


def test_all_of_fisher_pulls_like_kd_near_agreement(pair_of: Callable[..., Pair], batch: Batch) -> None:
    method, (direction, teacher) = build(pair_of(), temperature=2.0, fisher="full"), views()
    near = (teacher.outputs["logits"] + 1e-4 * direction.outputs["logits"]).requires_grad_()
    (ours,) = torch.autograd.grad(method(View({"logits": near}), teacher, batch, CLOCK)["square"], near)
    kl = kd.build(pair_of(), temperature=2.0)(View({"logits": near}), teacher, batch, CLOCK)["kl"]
    (theirs,) = torch.autograd.grad(kl, near)
    scale = 5 * 2.0**2 / 2  # classes in the mean, T^2, and the half of the second order
    torch.testing.assert_close(scale * ours, theirs, rtol=1e-3, atol=1e-9)


def test_diagonal_counts_a_shift_of_all_logits_and_full_does_not(pair_of: Callable[..., Pair], batch: Batch) -> None:
    teacher = views()[1]
    shifted = View({"logits": teacher.outputs["logits"] + 3})
    found = {
        fisher: build(pair_of(), fisher=fisher)(shifted, teacher, batch, CLOCK)["square"].item()
        for fisher in ("diagonal", "full")
    }
    assert found["full"] == pytest.approx(0, abs=1e-12)
    p = softmax(teacher.outputs["logits"].numpy() / 4, -1)
    assert found["diagonal"] == pytest.approx(9 * np.mean(p * (1 - p) / 16))


def test_a_teacher_that_is_certain_of_every_page_is_an_error(pair_of: Callable[..., Pair], batch: Batch) -> None:
    certain = View({"logits": torch.eye(3).repeat(2, 1) * 1e6})
    with pytest.raises(ConfigError, match=r"certain of every page.*raise `temperature`"):
        build(pair_of("cnn", "cnn")).survey([(batch, certain)])
