"""methods.sp against NumPy, and the identities of its loss."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.sp import build

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def test_equals_the_numpy_line(pair_of: PairOf, batch: Batch) -> None:
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(6, 48, 2, 2, dtype=torch.float64, generator=generator)
    tokens = torch.randn(6, 17, 32, dtype=torch.float64, generator=generator)
    rows = []
    for features in (student.numpy().reshape(6, -1), tokens[:, 1:].numpy().reshape(6, -1)):  # CLS does not count
        products = features @ features.T
        rows.append(products / np.linalg.norm(products, axis=1, keepdims=True))
    found = build(pair_of("cnn", "vit"))(View({}, {"map": student}), View({}, {"map": tokens}), batch, CLOCK)
    assert found["similarity"].item() == pytest.approx(np.linalg.norm(rows[0] - rows[1], "fro") ** 2 / 36, rel=1e-9)


def test_turning_and_scaling_the_students_features_changes_nothing(pair_of: PairOf, batch: Batch) -> None:
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(6, 48, 1, 1, dtype=torch.float64, generator=generator)
    teacher = View({}, {"map": torch.randn(6, 64, 1, 1, dtype=torch.float64, generator=generator)})
    turn = torch.linalg.qr(torch.randn(48, 48, dtype=torch.float64, generator=generator)).Q
    turned = 5.0 * torch.einsum("bchw,cd->bdhw", student, turn)
    method = build(pair_of("cnn", "cnn"))
    found, other = (method(View({}, {"map": s}), teacher, batch, CLOCK)["similarity"] for s in (student, turned))
    torch.testing.assert_close(other, found)


def test_it_needs_whole_batches_and_no_outputs(pair_of: PairOf) -> None:
    needs = build(pair_of("vit", "cnn")).needs
    assert needs.couples_batch and not needs.teacher_outputs
