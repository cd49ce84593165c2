"""methods.logit_mse against NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.logit_mse import build


def test_equals_the_numpy_mean_over_pages_and_classes(pair_of: Callable[..., Pair], batch: Batch) -> None:
    teacher, student = torch.randn(2, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = build(pair_of())(View({"logits": student}), View({"logits": teacher}), batch, Clock(0, 1, 0.0))["mse"]
    assert found.item() == pytest.approx(np.mean((teacher.numpy() - student.numpy()) ** 2), rel=1e-12)


def test_a_shift_of_all_logits_costs_its_square(pair_of: Callable[..., Pair], batch: Batch) -> None:
    teacher = torch.zeros(6, 5)
    found = build(pair_of())(View({"logits": teacher + 3}), View({"logits": teacher}), batch, Clock(0, 1, 0.0))
    assert found["mse"].item() == 9
