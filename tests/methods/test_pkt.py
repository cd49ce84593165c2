"""methods.pkt against NumPy, and what it needs."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.pkt import build
from distildoc.schema.errors import ConfigError
from distildoc.teach.check import check_terms, teacher_taps
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live

CLOCK = Clock(0, 1, 0.0)


def cosine_jeffreys(teacher: np.ndarray, student: np.ndarray) -> float:
    sides = []
    for rows in (teacher, student):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        kernel = (unit @ unit.T + 1) / 2
        sides.append(kernel / kernel.sum(1, keepdims=True))
    p, q = sides
    return float(np.mean((p - q) * np.log(p / q)))


def test_equals_the_numpy_line_with_a_mean_over_pairs_of_pages(pair_of: Callable[..., Pair], batch: Batch) -> None:
    teacher, student = (np.random.default_rng(seed).normal(size=(6, width)) for seed, width in ((0, 64), (1, 48)))
    views = (View({}, {"penultimate": torch.from_numpy(rows)}) for rows in (student, teacher))
    found = build(pair_of("cnn", "vit"), kernel="cosine")(*views, batch, CLOCK)["jeffreys"]
    assert found.item() == pytest.approx(cosine_jeffreys(teacher, student))


def test_several_taps_add_up_without_the_leading_tokens(pair_of: Callable[..., Pair], batch: Batch) -> None:
    draw = np.random.default_rng(0)
    maps, tokens = draw.normal(size=(6, 16, 4, 4)), draw.normal(size=(6, 17, 32))
    vectors = draw.normal(size=(6, 48)), draw.normal(size=(6, 32))
    taps = ("early", "penultimate")
    method = build(pair_of("cnn", "vit"), student_taps=taps, teacher_taps=taps, kernel="cosine")
    student = View({}, dict(zip(taps, map(torch.from_numpy, (maps, vectors[0])), strict=True)))
    teacher = View({}, dict(zip(taps, map(torch.from_numpy, (tokens, vectors[1])), strict=True)))
    found = method(student, teacher, batch, CLOCK)["jeffreys"].item()
    expected = cosine_jeffreys(tokens[:, 1:].reshape(6, -1), maps.reshape(6, -1))
    assert found == pytest.approx(expected + cosine_jeffreys(vectors[1], vectors[0]))


def test_labels_change_nothing(pair_of: Callable[..., Pair], batch: Batch) -> None:
    pair = pair_of("cnn", "vit")
    assert pair.teacher is not None
    terms = [Term("pkt", build(pair), constant(1.0))]
    distiller, teacher = Distiller(pair.student.eval(), terms).eval(), Live(pair.teacher, taps=teacher_taps(terms))
    other = replace(batch, targets={"label": torch.full((6,), -1)})
    totals = [distiller(one, teacher(one), CLOCK)[0] for one in (batch, other)]
    assert torch.equal(*totals)


def test_accumulation_is_refused_since_it_compares_the_pages_of_a_batch(pair_of: Callable[..., Pair]) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    terms = [Term("pkt", build(pair), constant(1.0))]
    with pytest.raises(ConfigError, match=r"compares the pages of a batch.*accumulate"):
        check_terms(Distiller(pair.student, terms), Live(pair.teacher, taps=teacher_taps(terms)), accumulate=2)


def test_taps_that_are_no_pairs_are_an_error(pair_of: Callable[..., Pair]) -> None:
    with pytest.raises(ConfigError, match=r"in pairs, got \['early', 'late'\] and \['late'\]"):
        build(pair_of(), student_taps=("early", "late"), teacher_taps=("late",))
