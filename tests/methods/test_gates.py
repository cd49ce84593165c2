"""methods.gates: the schedule, what is recorded, and what must be refused."""

from collections.abc import Callable

import pytest
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.gates import Gates, build
from distildoc.methods.supervised import build as build_supervised
from distildoc.schema.errors import ConfigError
from distildoc.teach.distiller import Distiller, adapted

PairOf = Callable[..., Pair]


def gates(pair: Pair, **settings: float) -> Gates:
    method = build(pair, **settings)
    assert isinstance(method, Gates)
    method.adapt(pair.student)
    return method


@pytest.mark.parametrize("epoch", [1, 2, 10, 100, 300])
def test_the_temperature_is_that_of_the_paper_at_its_epochs(epoch: int, pair_of: PairOf) -> None:
    method = gates(pair_of("hme", "none"))
    method.pace(Clock(epoch - 1, 299, float(epoch - 1)))
    assert [gate.temperature for gate in method.gates] == pytest.approx([10 / epoch] * 2)


def test_the_loss_is_the_mean_entropy_of_the_tempered_gates_over_all_children(pair_of: PairOf, batch: Batch) -> None:
    method = gates(pair_of("hme", "none"))
    method.pace(Clock(1, 10, 0.0))
    temperature = 10 / (1 + 299 * 0.1)
    rows = []
    for gate in method.gates:
        shares = softmax(log_softmax(gate.affinity.detach().double().numpy() / 0.5, -1) / temperature, -1)
        rows += list(entropy(shares, axis=-1))
    assert len(rows) == 4 + 5  # blocks of the second level, and classes
    found = method(View({}), View({}), batch, Clock(1, 10, 0.0))["entropy"]
    assert found.item() == pytest.approx(sum(rows) / len(rows), rel=1e-5)


def test_watching_records_the_entropy_and_leaves_the_gradient_alone(pair_of: PairOf, batch: Batch) -> None:
    found = []
    for watch in (False, True):
        pair = pair_of("hme", "none")
        terms = [Term("labels", build_supervised(pair), constant(1.0))]
        terms += [Term("gates", build(pair, watch=True), constant(1.0))] if watch else []
        distiller = Distiller(adapted(pair.student, terms), terms)
        for gate in gates(pair).gates:
            gate.temperature = 10.0  # where the schedule begins
        total, losses = distiller(batch, None, Clock(0, 10, 0.0))
        total.backward()
        assert ("gates" in losses) is watch
        found.append({name: p.grad for name, p in distiller.student.named_parameters()})
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_a_term_of_weight_zero_still_sharpens_the_gates(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("hme", "none")
    method = gates(pair)
    terms = [Term("labels", build_supervised(pair), constant(1.0)), Term("gates", method, constant(0.0))]
    Distiller(adapted(pair.student, terms), terms)(batch, None, Clock(9, 10, 0.0))
    assert method.gates[0].temperature == pytest.approx(10 / (1 + 299 * 0.9))


def test_a_student_without_gates_is_an_error_that_names_the_model(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match=r"gates: the student \(PooledBody\) has none; take the model `hme`"):
        build(pair_of("cnn", "none"))
