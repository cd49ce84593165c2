"""methods.dml against NumPy, and its peer."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.dml import MutualLearning, build
from distildoc.methods.supervised import build as build_supervised
from distildoc.models.build import build_model
from distildoc.tasks.classification import classification
from distildoc.teach.check import check_terms
from distildoc.teach.distiller import Distiller

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def built(pair: Pair) -> MutualLearning:
    method = build(pair)
    assert isinstance(method, MutualLearning)
    return method


def test_equals_the_numpy_lines_for_student_and_peer(pair_of: PairOf, batch: Batch) -> None:
    method = built(pair_of("cnn", "none")).eval()
    student = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        peer = method.peer(batch.inputs)["logits"].double().numpy()
    log_p, log_q = log_softmax(student.double().numpy(), -1), log_softmax(peer, -1)
    cross_entropy = -log_q[np.arange(5), np.arange(5)].mean()  # the sixth page has no label
    found = method(View({"logits": student}), View({}), batch, CLOCK)
    assert found["mimicry"].item() == pytest.approx((np.exp(log_q) * (log_q - log_p)).sum(-1).mean(), rel=1e-4)
    towards = (np.exp(log_p) * (log_p - log_q)).sum(-1).mean()
    assert found["peer"].item() == pytest.approx(cross_entropy + towards, rel=1e-4)


def test_each_network_is_moved_by_its_own_losses_alone(pair_of: PairOf, batch: Batch) -> None:
    method = built(pair_of("cnn", "none"))
    logits = torch.randn(6, 5, requires_grad=True)
    losses = method(View({"logits": logits}), View({}), batch, CLOCK)
    mimicry = torch.autograd.grad(losses["mimicry"], [logits, *method.parameters()], allow_unused=True)
    peer = torch.autograd.grad(losses["peer"], [logits, *method.parameters()], allow_unused=True)
    assert mimicry[0] is not None and all(gradient is None for gradient in mimicry[1:])
    assert peer[0] is None and all(gradient is not None for gradient in peer[1:])


@pytest.mark.parametrize("network", ["cnn", "vit"])
def test_peer_is_of_the_students_make_with_weights_of_its_own(network: str, pair_of: PairOf) -> None:
    student = pair_of(network, "none").student
    peer = built(pair_of(network, "none")).peer
    theirs, ours = peer.state_dict(), student.state_dict()
    assert {name: value.shape for name, value in theirs.items()} == {name: v.shape for name, v in ours.items()}
    drawn = [name for name, value in ours.items() if value.is_floating_point() and value.std() > 0]
    assert drawn and all(not torch.equal(theirs[name], ours[name]) for name in drawn)


def test_peer_differs_even_where_the_generator_is_where_the_students_weights_came_from() -> None:
    student = build_model("cnn-micro", labels=("a", "b"), size=(32, 32), channels=1, seed=7)
    torch.manual_seed(7)
    peer = built(Pair(student, None, classification(("a", "b")), (32, 32))).peer
    assert not torch.equal(next(peer.parameters()), next(student.parameters()))


def test_a_few_steps_bring_student_and_peer_together_without_a_teacher(pair_of: PairOf, batch: Batch) -> None:
    torch.manual_seed(0)
    pair = pair_of("cnn", "none")
    terms = [Term("supervised", build_supervised(pair), constant(1.0)), Term("dml", build(pair), constant(1.0))]
    distiller = Distiller(pair.student, terms)
    check_terms(distiller, None, sample=batch)
    optimiser = torch.optim.Adam(distiller.parameters(), lr=3e-3)
    mimicry = []
    for _ in range(12):
        total, losses = distiller(batch, None, CLOCK)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        mimicry.append(losses["dml/mimicry"].item())
    assert min(mimicry[-3:]) < 0.5 * mimicry[0]


def test_peer_is_left_behind(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "none")
    names = set(pair.student.state_dict())
    distiller = Distiller(pair.student, [Term("dml", build(pair), constant(1.0))])
    assert any(name.startswith("learned.dml.peer.") for name in distiller.state_dict())
    assert set(distiller.release().state_dict()) == names
