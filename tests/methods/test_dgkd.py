"""methods.dgkd against NumPy: all teachers at once, and some of them left out at every step."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.dgkd import DenselyGuided, build
from distildoc.schema.errors import ConfigError

PairOf = Callable[..., Pair]
EXPERTS = 4


def of_four(pair_of: PairOf, drop: int, *, seed: int = 0) -> DenselyGuided:
    pair = replace(pair_of("cnn", "none"), experts=EXPERTS)
    return cast(DenselyGuided, build(pair, temperature=3.0, drop=drop, seed=seed))


def said() -> torch.Tensor:
    return torch.randn(EXPERTS + 1, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def divergence(teacher: np.ndarray, student: np.ndarray) -> float:
    p = softmax(teacher / 3.0, -1)
    return float(9.0 * (p * (np.log(p) - log_softmax(student / 3.0, -1))).sum(-1).mean())


@pytest.mark.parametrize("drop", [0, 1, 3])
def test_equals_the_numpy_line_over_the_teachers_kept(drop: int, pair_of: PairOf, batch: Batch) -> None:
    method, clock = of_four(pair_of, drop), Clock(5, 10, 0.0)
    *teachers, student = said()
    found = method(View({"logits": student}), [View({"logits": z}) for z in teachers], batch, clock)["kl"].item()
    kept = method.kept(clock)
    assert len(kept) == EXPERTS - drop
    assert found == pytest.approx(np.mean([divergence(teachers[k].numpy(), student.numpy()) for k in kept]), rel=1e-9)


def test_every_teacher_is_left_out_about_as_often_as_any_other(pair_of: PairOf) -> None:
    method = of_four(pair_of, drop=1)
    missing = Counter(
        next(k for k in range(EXPERTS) if k not in method.kept(Clock(step, 2000, 0.0))) for step in range(2000)
    )
    assert all(abs(missing[k] - 500) < 100 for k in range(EXPERTS))  # 5 standard deviations of a fair draw


def test_who_is_left_out_is_a_matter_of_step_and_seed(pair_of: PairOf) -> None:
    first, again, other = of_four(pair_of, 1), of_four(pair_of, 1), of_four(pair_of, 1, seed=1)
    drawn = [[m.kept(Clock(step, 50, 0.0)) for step in range(50)] for m in (first, again, other)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert len({tuple(kept) for kept in drawn[0]}) == EXPERTS


def test_one_teacher_always_stays(pair_of: PairOf) -> None:
    method = of_four(pair_of, drop=9)
    assert all(len(method.kept(Clock(step, 20, 0.0))) == 1 for step in range(20))


def test_an_average_of_teachers_is_refused_with_the_way_out(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match="method 'dgkd' learns from several teachers one by one"):
        build(pair_of("cnn", "none"))
