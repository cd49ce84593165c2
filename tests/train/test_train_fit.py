import signal
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from distildoc.schema.errors import ConfigError
from distildoc.train.checkpoint import Checkpoints
from distildoc.train.fit import Plan, fit
from distildoc.train.journal import Journal
from distildoc.train.optimisers import build_optimiser
from distildoc.train.processes import make_accelerator
from distildoc.train.progress import Quiet
from distildoc.train.records import read_records
from distildoc.train.selection import Selection, judged
from distildoc.train.state import Horizon
from distildoc.train.steps import steps
from distildoc.train.stop import Interrupted, Stop
from distildoc.train.stored import read_tensors


def _scores(*scores):
    """A validation that gives these scores in turn and remembers the head it saw."""
    left, seen = list(scores), []

    def validate(student):
        seen.append((student.head.weight.detach().clone(), student.training, torch.is_grad_enabled()))
        return left.pop(0)

    return validate, seen


def test_the_best_student_is_kept_and_the_earlier_of_two_equal_ones(toy, tmp_path):
    validate, seen = _scores(0.2, 0.7, 0.7)
    state = toy.toy_state()
    result = toy.toy_fit(state, tmp_path, plan=Plan(3, selection=Selection(validate)))
    assert (result.best_score, result.best_epoch) == (0.7, 2)
    assert torch.equal(state.student.head.weight, seen[1][0])
    assert [path.name for path in tmp_path.glob("best-*")] == ["best-00000012.safetensors"]


def test_the_last_student_is_kept_when_asked_with_its_ema_weights(toy, tmp_path):
    validate, _ = _scores(0.9, 0.1)
    state = toy.toy_state()
    result = toy.toy_fit(state, tmp_path, plan=Plan(2, selection=Selection(validate, keep="last")))
    assert (result.best_score, result.best_epoch) == (0.9, 1)
    assert torch.equal(state.student.head.weight, state.ema.shadow["head.weight"])
    assert list(tmp_path.glob("best-*")) == []


def test_without_validation_the_last_student_is_kept(toy, tmp_path):
    state = toy.toy_state(ema=None)
    result = toy.toy_fit(state, tmp_path, plan=Plan(2))
    assert (result.best_score, result.best_epoch, result.steps) == (None, None, 12)
    assert not state.student.training


def test_a_score_that_is_no_number_is_never_the_best(toy, tmp_path, caplog):
    validate, _ = _scores(float("nan"), 0.1, float("nan"))
    result = toy.toy_fit(toy.toy_state(), tmp_path, plan=Plan(3, selection=Selection(validate)))
    assert (result.best_score, result.best_epoch) == (0.1, 2)
    assert "epoch 1: the validation score is nan" in caplog.text


def test_validation_comes_every_few_epochs_and_after_the_last(toy, tmp_path):
    validate, seen = _scores(0.1, 0.2, 0.3)
    toy.toy_fit(toy.toy_state(), tmp_path, plan=Plan(5, selection=Selection(validate, every=2)))
    records = read_records(tmp_path / "records.jsonl")
    assert [record["epoch"] for record in records if record["kind"] == "validation"] == [2, 4, 5]
    assert all(not training and not gradients for _, training, gradients in seen)


def test_judging_uses_ema_weights_and_gives_every_module_its_mode_and_weights_back(toy):
    state = toy.toy_state(batch_norm=True)
    state.student.body[1].eval()  # a part that a method froze
    nn.init.constant_(state.student.head.weight, 3.0)
    with judged(state) as student:
        assert not any(module.training for module in student.modules())
        assert torch.equal(student.head.weight, state.ema.shadow["head.weight"])
        assert not (student.head.weight == 3.0).any()
    assert (state.student.head.weight == 3.0).all()
    assert [state.student.training, state.student.body[1].training, state.student.body[2].training] == [
        True,
        False,
        True,
    ]


class _Signalling:
    def __init__(self, loader, at, number):
        self.loader, self.at, self.number = loader, at, number

    def __len__(self):
        return len(self.loader)

    def epoch(self, number, skip=0):
        for i, batch in enumerate(self.loader.epoch(number, skip)):
            if number == 1 and i == self.at:
                signal.raise_signal(self.number)
            yield batch


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_raises_and_the_run_goes_on_as_if_never_stopped(toy, tmp_path, number):
    before = signal.getsignal(number)
    state = toy.toy_state(dropout=0.3)
    plan = Plan(3, selection=None)
    with pytest.raises(Interrupted, match=rf"{number.name} at step 8 of 18.*same command") as caught:
        toy.toy_fit(state, tmp_path / "run", loader=_Signalling(toy.ToyLoader(), 1, number), plan=plan)
    assert caught.value.signal == number and isinstance(caught.value, KeyboardInterrupt)
    assert signal.getsignal(number) is before
    loader, resumed, straight = toy.ToyLoader(), toy.toy_state(dropout=0.3), toy.toy_state(dropout=0.3)
    toy.toy_fit(resumed, tmp_path / "run", loader=loader, plan=plan)
    assert len(loader.given) == 10  # no step was lost
    straight = toy.toy_state(dropout=0.3)
    toy.toy_fit(straight, tmp_path / "straight", plan=plan)
    for a, b in zip(resumed.distiller.parameters(), straight.distiller.parameters(), strict=True):
        assert torch.equal(a, b)


def test_readers_that_died_of_the_same_ctrl_c_do_not_keep_the_checkpoint_from_being_written(toy, tmp_path):
    class Dying(_Signalling):
        def epoch(self, number, skip=0):
            for i, batch in enumerate(super().epoch(number, skip)):
                if number == 1 and i == 1:
                    raise RuntimeError("DataLoader worker exited unexpectedly")
                yield batch

    with pytest.raises(Interrupted, match="at step 7 of 18"):
        toy.toy_fit(toy.toy_state(), tmp_path, loader=Dying(toy.ToyLoader(), 1, signal.SIGINT), plan=Plan(3))
    assert read_tensors(tmp_path / "last.safetensors")[1]["step"] == 7
    with pytest.raises(RuntimeError, match="exited"):  # without Ctrl-C it stays an error
        toy.toy_fit(toy.toy_state(), tmp_path / "b", loader=Dying(toy.ToyLoader(), 99, signal.SIGINT), plan=Plan(3))


@pytest.fixture
def ctrl_c_ends_the_process() -> Iterator[None]:
    """As in a foreground process; one started in the background may ignore Ctrl-C from birth."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_ctrl_c_ends_at_once(ctrl_c_ends_the_process):
    with pytest.raises(KeyboardInterrupt) as caught, Stop() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked == signal.SIGINT
        signal.raise_signal(signal.SIGINT)
    assert not isinstance(caught.value, Interrupted)


class _Short:
    def __len__(self):
        return 9

    def epoch(self, number, skip=0):
        raise NotImplementedError


def test_a_loader_shorter_than_it_says_is_an_error(toy, tmp_path):
    loader = _Short()
    loader.epoch = toy.ToyLoader().epoch
    with pytest.raises(ValueError, match="gave 6 batches in an epoch and its length is 9"):
        toy.toy_fit(toy.toy_state(), tmp_path, loader=loader)


def test_checkpoints_come_by_time_too(toy, tmp_path):
    state = toy.toy_state()
    assert Checkpoints(tmp_path, identity="x", every_seconds=0.0).due(state)
    assert not Checkpoints(tmp_path, identity="x", every_seconds=1000.0).due(state)
    assert not Checkpoints(tmp_path, identity="x", every_seconds=None).due(state)


def test_progress_hears_every_step_and_is_closed_after_an_error(toy, tmp_path):
    heard = []

    class Listening(Quiet):
        def start(self, *, steps, done, epochs):
            heard.append(("start", steps, done, epochs))

        def step(self, *, step, epoch, pages, seconds):
            heard.append(("step", step, pages))

        def close(self):
            heard.append(("close",))

    state = toy.toy_state()
    journal = Journal(state.accelerator, progress=Listening())
    with pytest.raises(ZeroDivisionError):
        fit(
            state,
            toy.ToyLoader(pages=10),
            None,
            plan=Plan(2, selection=Selection(lambda student: 1 / 0)),
            checkpoints=Checkpoints(tmp_path, identity="x"),
            journal=journal,
        )
    assert heard == [("start", 6, 0, 2), ("step", 1, 4), ("step", 2, 4), ("step", 3, 2), ("close",)]


def test_records_give_the_mean_loss_since_the_line_before(toy, tmp_path):
    def run(folder, every):
        state = toy.toy_state()
        fit(
            state,
            toy.ToyLoader(),
            toy.ToyTeacher(),
            plan=Plan(1),
            checkpoints=Checkpoints(folder, identity="x"),
            journal=Journal(state.accelerator, records=toy.Records(folder / "r.jsonl"), every=every),
        )
        return [record for record in read_records(folder / "r.jsonl") if record["kind"] == "train"]

    single, four = run(tmp_path / "a", 1), run(tmp_path / "b", 4)
    assert [record["step"] for record in four] == [4, 6]  # the end of the epoch gives a line of its own
    expected = sum(record["losses"]["hint"] for record in single[:4]) / 4
    assert four[0]["losses"]["hint"] == pytest.approx(expected, rel=1e-5)
    assert four[1]["total"] == pytest.approx(sum(record["total"] for record in single[4:]) / 2, rel=1e-5)


def test_tensorboard_gets_losses_rate_and_score_without_doubles_after_a_resumption(toy, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def run(epochs):
        state = toy.toy_state()
        state.accelerator = make_accelerator("no", cpu=True, trackers=["tensorboard"], project=tmp_path)
        toy.toy_fit(state, tmp_path / "run", plan=Plan(epochs, selection=Selection(toy.accuracy)))

    run(1)
    for path in (tmp_path / "run").glob("last*"):
        path.unlink()  # as if the run had been killed before its first checkpoint
    run(1)
    events = EventAccumulator(str(tmp_path / "training"))
    events.Reload()
    assert {"loss", "loss/hint", "loss/supervised", "lr", "pages_per_s", "validation/score"} <= set(
        events.Tags()["scalars"]
    )
    assert [event.step for event in events.Scalars("loss/hint")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"epochs": 1, "accumulate": 0}])
def test_a_training_of_nothing_is_refused(toy, tmp_path, settings):
    with pytest.raises(ConfigError, match="at least one"):
        toy.toy_fit(toy.toy_state(), tmp_path, plan=Plan(**settings))


@pytest.mark.parametrize(("reset", "counted"), [("never", 9), ("epoch", 3)])
def test_moments_are_forgotten_where_an_epoch_begins_when_asked(toy, tmp_path, reset, counted):
    state = toy.toy_state()
    toy.toy_fit(state, tmp_path, plan=Plan(3, accumulate=2, reset_optimiser=reset))
    assert {int(moments["step"]) for moments in state.optimiser.state.values()} == {counted}


def test_an_epoch_after_forgetting_equals_one_with_a_new_optimiser_bit_for_bit(toy, tmp_path):
    by_fit, by_hand = (toy.toy_state(optimiser="sgd", lr=0.02, ema=None) for _ in range(2))
    toy.toy_fit(by_fit, tmp_path, plan=Plan(2, accumulate=2, reset_optimiser="epoch"))
    for epoch in (0, 1):
        by_hand.optimiser = build_optimiser("sgd", by_hand.distiller, lr=0.02, weight_decay=0.01)
        by_hand.epoch, by_hand.batch = epoch, 0
        list(steps(by_hand, toy.ToyLoader().epoch(epoch), toy.ToyTeacher(), horizon=Horizon(6, 2, 2)))
    pairs = zip(by_fit.distiller.parameters(), by_hand.distiller.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("batches", [5, 6, 7, 12])
def test_a_resumed_run_forgets_only_where_an_epoch_begins(toy, tmp_path, batches):
    plan = Plan(3, accumulate=2, reset_optimiser="epoch", selection=Selection(toy.accuracy))
    finals = []
    for name, left in (("straight", None), ("cut", batches)):
        if left is not None:
            with pytest.raises(RuntimeError, match="power"):
                toy.toy_fit(toy.toy_state(), tmp_path / name, loader=_Dying(toy.ToyLoader(), left), plan=plan)
        state = toy.toy_state()
        toy.toy_fit(state, tmp_path / name, plan=plan)
        finals.append(read_tensors(tmp_path / name / "last.safetensors")[0])
    assert [name for name in finals[0] if not torch.equal(finals[0][name], finals[1][name])] == []


class _Dying:
    """A loader that fails at its n-th batch, over all epochs."""

    def __init__(self, loader, left):
        self.loader, self.left = loader, left

    def __len__(self):
        return len(self.loader)

    def epoch(self, number, skip=0):
        for batch in self.loader.epoch(number, skip):
            if self.left == 0:
                raise RuntimeError("power cut")
            self.left -= 1
            yield batch
