import copy
import math

import pytest
import torch
from torch.nn import functional

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import constant
from distildoc.train.finite import FiniteWatch, NonFiniteLoss
from distildoc.train.state import Horizon, Optimisation, begin
from distildoc.train.steps import steps


def _same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_equals_a_hand_written_loop_bit_for_bit(toy):
    state, loader, teacher = toy.toy_state(ema=None), toy.ToyLoader(), toy.ToyTeacher()
    by_hand = copy.deepcopy(state.distiller)
    matrices = [weight for weight in by_hand.parameters() if weight.ndim > 1]
    offsets = [weight for weight in by_hand.parameters() if weight.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": offsets, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=0.05, fused=True)
    for batch in loader.epoch(0):
        logits = by_hand.student(batch.inputs)["logits"]
        target = teacher(batch).outputs["logits"].detach()
        loss = functional.cross_entropy(logits, batch.targets["label"])
        loss = loss + functional.mse_loss(by_hand.projector(logits), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    state.schedule = constant(1.0)
    assert len(list(steps(state, loader.epoch(0), teacher, horizon=Horizon(6, 1)))) == 6
    assert _same(state.distiller, by_hand)


def test_accumulating_unequal_batches_equals_one_batch_of_all_pages(toy):
    loader = toy.ToyLoader(pages=11, batch=4)  # 4, 4 and 3 pages
    whole = toy.ToyLoader(pages=11, batch=11)
    one, many = toy.toy_state(optimiser="sgd", lr=0.01), toy.toy_state(optimiser="sgd", lr=0.01)
    (log_many,) = steps(many, loader.epoch(0), toy.ToyTeacher(), horizon=Horizon(3, 1, accumulate=3))
    (log_one,) = steps(one, whole.epoch(0), toy.ToyTeacher(), horizon=Horizon(1, 1))
    for a, b in zip(one.distiller.parameters(), many.distiller.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(log_many.total, log_one.total)
    torch.testing.assert_close(dict(log_many.losses), dict(log_one.losses))
    assert log_many.pages == log_one.pages == 11


def test_the_last_step_of_an_epoch_takes_the_batches_left(toy):
    state, loader = toy.toy_state(), toy.ToyLoader(pages=20, batch=4)
    logs = list(steps(state, loader.epoch(0), None, horizon=Horizon(5, 1, accumulate=2)))
    assert [log.pages for log in logs] == [8, 8, 4]
    assert (state.step, state.batch) == (3, 5)


def test_clipping_bounds_the_change_of_the_weights(toy):
    # plain SGD at rate 1 moves the weights by the gradient itself
    state = toy.toy_state(ema=None)
    settings = {"momentum": 0.0, "nesterov": False}
    state = begin(
        state.distiller, state.accelerator, optimisation=Optimisation("sgd", lr=1.0, settings=settings), seed=0
    )
    before = [weight.detach().clone() for weight in state.distiller.parameters()]
    log = next(steps(state, toy.ToyLoader().epoch(0), toy.ToyTeacher(), horizon=Horizon(6, 1), clip_norm=0.01))
    moved = (
        torch.cat([(a - b).flatten() for a, b in zip(state.distiller.parameters(), before, strict=True)])
        .norm()
        .detach()
    )
    assert float(log.grad_norm) > 0.1
    assert float(moved) == pytest.approx(0.01, rel=1e-3)


def test_the_teacher_gets_no_gradient(toy):
    state, teacher = toy.toy_state(), toy.ToyTeacher()
    next(steps(state, toy.ToyLoader().epoch(0), teacher, horizon=Horizon(6, 1)))
    assert teacher.weight.requires_grad and teacher.weight.grad is None


def test_logs_carry_the_scheduled_rate_and_detached_losses(toy):
    state = toy.toy_state(lr=0.05)
    logs = list(steps(state, toy.ToyLoader().epoch(0), toy.ToyTeacher(), horizon=Horizon(6, 1)))
    # a fifth of 6 steps is one of warm-up, at half the rate; then the cosine over the 5 that are left
    assert [log.lr for log in logs[:3]] == pytest.approx([0.025, 0.05, 0.05 * (1 + math.cos(math.pi / 5)) / 2])
    assert [log.epoch for log in logs] == pytest.approx([i / 6 for i in range(6)])
    assert not any(loss.requires_grad for log in logs for loss in (*log.losses.values(), log.total))


def _poisoned(loader, at):
    for number, batch in enumerate(loader.epoch(0)):
        pixels = torch.full_like(batch.inputs, torch.inf) if number == at else batch.inputs
        yield Batch(pixels, batch.targets, batch.keys)


def test_a_loss_that_is_not_finite_stops_before_the_weights_are_touched(toy):
    state, loader = toy.toy_state(), toy.ToyLoader()
    logs = steps(state, _poisoned(loader, 2), toy.ToyTeacher(), horizon=Horizon(6, 1))
    next(logs), next(logs)
    before = copy.deepcopy(state.distiller)
    with pytest.raises(NonFiniteLoss) as caught:
        next(logs)
    assert _same(state.distiller, before)
    assert (caught.value.step, state.step) == (3, 2)
    assert {"supervised", "hint"} == set(caught.value.terms)
    assert caught.value.pages == loader.given[2]
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in ("step 3", "term 'supervised' is nan", loader.given[2][0]))


def test_only_the_pages_of_the_bad_batch_of_a_step_are_named(toy):
    state, loader = toy.toy_state(), toy.ToyLoader()
    with pytest.raises(NonFiniteLoss) as caught:
        list(steps(state, _poisoned(loader, 1), None, horizon=Horizon(6, 1, accumulate=2)))
    assert caught.value.pages == loader.given[1]
    assert set(caught.value.terms) == {"supervised"}


class _RootOfZero(torch.nn.Module):
    """A finite loss whose gradient is infinite: the root of a weight that is zero."""

    def __init__(self, student):
        super().__init__()
        self.student = student
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, batch, teacher, clock):
        loss = self.weight.sqrt().sum() + 0 * self.student(batch.inputs)["logits"].sum()
        return loss, {"root": loss}


def test_an_infinite_gradient_of_a_finite_loss_stops_too(toy):
    module = _RootOfZero(toy.toy_student())
    state = begin(module, toy.toy_state().accelerator, optimisation=Optimisation(), seed=0)
    with pytest.raises(NonFiniteLoss, match="step 1: the gradient is inf on the pages page-"):
        list(steps(state, toy.ToyLoader().epoch(0), None, horizon=Horizon(6, 1)))
    assert float(module.weight.detach()) == 0.0


def test_a_watch_that_reads_rarely_still_names_the_first_bad_step(toy):
    state, loader = toy.toy_state(), toy.ToyLoader()
    state.watch = FiniteWatch(every=100)
    with pytest.raises(NonFiniteLoss) as caught:
        list(steps(state, _poisoned(loader, 2), None, horizon=Horizon(6, 1)))
    assert state.step == 6  # the weights went on; only the verdict came late
    assert (caught.value.step, caught.value.pages) == (3, loader.given[2])


def test_a_long_list_of_pages_is_cut_in_the_message_and_whole_in_the_error():
    pages = [f"p{i}" for i in range(20)]
    error = NonFiniteLoss(1, {"kd": float("nan")}, pages)
    assert error.pages == tuple(pages)
    assert "p7 and 12 more" in str(error) and "p8" not in str(error)


def test_keys_of_a_batch_reach_the_error_without_their_augmentation(toy):
    batch = Batch(torch.full((1, 3, *toy.SIZE), torch.nan), {"label": torch.zeros(1, dtype=torch.long)}, (Key("a", 4),))
    with pytest.raises(NonFiniteLoss) as caught:
        list(steps(toy.toy_state(), [batch], None, horizon=Horizon(1, 1)))
    assert caught.value.pages == ("a",)
