import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from distildoc.schema.errors import InputError
from distildoc.train import stored
from distildoc.train.checkpoint import Checkpoints
from distildoc.train.finite import FiniteWatch, NonFiniteLoss, Part
from distildoc.train.records import read_records
from distildoc.train.stored import module_tensors, read_tensors, restore_optimiser, write_tensors

STUDENT = {"dropout": 0.3, "batch_norm": True}
TIMES = ("seconds", "pages_per_s")


class PowerCut(Exception):
    pass


class _Failing:
    """A loader that dies when asked for its n-th batch, over all epochs."""

    def __init__(self, loader, at):
        self.loader, self.left = loader, at

    def __len__(self):
        return len(self.loader)

    def epoch(self, number, skip=0):
        for batch in self.loader.epoch(number, skip):
            if self.left == 0:
                raise PowerCut
            self.left -= 1
            yield batch


def _contents(folder):
    """Every tensor and fact on disk, but for wall time."""
    tensors, facts = read_tensors(folder / "last.safetensors")
    (best,) = folder.glob("best-*.safetensors")
    kept = {f"kept/{name}": tensor for name, tensor in read_tensors(best)[0].items()}
    return tensors | kept, {name: value for name, value in facts.items() if name != "seconds"}


def _records(folder):
    return [{k: v for k, v in record.items() if k not in TIMES} for record in read_records(folder / "records.jsonl")]


def _assert_same_run(one, other):
    (tensors, facts), (expected, expected_facts) = _contents(one), _contents(other)
    assert facts == expected_facts
    assert tensors.keys() == expected.keys()
    assert [name for name in tensors if not torch.equal(tensors[name], expected[name])] == []
    assert _records(one) == _records(other)


@pytest.fixture(scope="module")
def straight(toy, tmp_path_factory) -> Path:
    """A run that was never stopped: dropout, batch norm, EMA, accumulation, clipping, validation."""
    folder = tmp_path_factory.mktemp("straight")
    toy.toy_fit(toy.toy_state(**STUDENT), folder)
    kinds = {name.split("/")[0] for name in _contents(folder)[0]}
    assert kinds == {"distiller", "optimiser", "ema", "random", "kept"}
    return folder


@pytest.mark.parametrize("batches", [0, 1, 4, 5, 6, 9, 11, 12, 17])
def test_a_resumed_run_equals_one_never_stopped_bit_for_bit(toy, straight, tmp_path, batches):
    with pytest.raises(PowerCut):
        toy.toy_fit(toy.toy_state(**STUDENT), tmp_path, loader=_Failing(toy.ToyLoader(), batches))
    torch.manual_seed(999)  # nothing may hang on what the process did in between
    resumed = toy.toy_state(**STUDENT)
    loader = toy.ToyLoader()
    toy.toy_fit(resumed, tmp_path, loader=loader)
    _assert_same_run(tmp_path, straight)
    assert len(loader.given) <= 18 - batches + 3, "a resumption repeats at most the steps since the last checkpoint"


def test_a_run_killed_again_and_again_equals_one_never_stopped(toy, straight, tmp_path):
    for batches in (5, 4, 6, 3):
        with pytest.raises(PowerCut):
            toy.toy_fit(toy.toy_state(**STUDENT), tmp_path, loader=_Failing(toy.ToyLoader(), batches))
    toy.toy_fit(toy.toy_state(**STUDENT), tmp_path)
    _assert_same_run(tmp_path, straight)


def test_kill_9_in_the_middle_of_a_write_leaves_the_checkpoint_before(toy, straight, tmp_path):
    script = [sys.executable, str(Path(toy.__file__)), str(tmp_path), "--kill-at-write", "4"]
    done = subprocess.run(script, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=120)
    assert done.returncode == -9, done.stderr.decode()
    assert list(tmp_path.glob(".*.partial")) != []
    step = read_tensors(tmp_path / "last.safetensors")[1]["step"]
    assert 0 < step < 9
    toy.toy_fit(toy.toy_state(**STUDENT), tmp_path)
    _assert_same_run(tmp_path, straight)


def test_a_finished_run_is_not_trained_again(toy, straight, tmp_path):
    for file in straight.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    loader, state = toy.ToyLoader(), toy.toy_state(**STUDENT)
    result = toy.toy_fit(state, tmp_path, loader=loader)
    assert loader.given == [] and result.steps == 9
    _assert_same_run(tmp_path, straight)
    kept, _ = _contents(straight)
    assert torch.equal(state.student.head.weight, kept["kept/head.weight"])


def test_a_checkpoint_of_another_configuration_is_refused(toy, straight):
    with pytest.raises(InputError, match=r"another configuration .*delete"):
        Checkpoints(straight, identity="other").restore(toy.toy_state(**STUDENT))


def test_a_checkpoint_of_another_architecture_is_refused(toy, straight):
    with pytest.raises(InputError, match="other weights"):
        Checkpoints(straight, identity="toy").restore(toy.toy_state(dropout=0.3))


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_a_truncated_checkpoint_is_named_with_the_way_out(toy, straight, tmp_path, keep):
    whole = (straight / "last.safetensors").read_bytes()
    (tmp_path / "last.safetensors").write_bytes(whole[:keep])
    with pytest.raises(InputError, match=r"last\.safetensors is damaged .*delete it"):
        Checkpoints(tmp_path, identity="toy").restore(toy.toy_state(**STUDENT))


def test_any_other_safetensors_file_is_named(toy, tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "last.safetensors")
    with pytest.raises(InputError, match="no checkpoint"):
        Checkpoints(tmp_path, identity="toy").restore(toy.toy_state())


def test_a_checkpoint_without_its_counters_is_named(toy, straight, tmp_path):
    tensors, facts = read_tensors(straight / "last.safetensors")
    write_tensors(tmp_path / "last.safetensors", tensors, {k: v for k, v in facts.items() if k != "step"})
    with pytest.raises(InputError, match="damaged"):
        Checkpoints(tmp_path, identity="toy").restore(toy.toy_state(**STUDENT))


def test_another_number_of_processes_is_refused(toy, straight, tmp_path):
    tensors, facts = read_tensors(straight / "last.safetensors")
    write_tensors(tmp_path / "last.safetensors", tensors, {**facts, "world": 2})
    with pytest.raises(InputError, match="2 processes and this run has 1"):
        Checkpoints(tmp_path, identity="toy").restore(toy.toy_state(**STUDENT))


def test_a_full_disk_leaves_the_old_checkpoint_and_nothing_half_written(toy, tmp_path, monkeypatch):
    state, checkpoints = toy.toy_state(), Checkpoints(tmp_path, identity="toy")
    checkpoints.save(state)
    before = (tmp_path / "last.safetensors").read_bytes()

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(stored, "_flush", full)
    state.step = 5
    with pytest.raises(InputError, match=r"No space left on device.*free space"):
        checkpoints.save(state)
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_an_input_error(toy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the checkpoint"):
        Checkpoints(tmp_path / "file" / "deeper", identity="toy").save(toy.toy_state())


def test_weights_that_are_not_finite_are_never_written(toy, tmp_path):
    state = toy.toy_state()
    state.watch = FiniteWatch(every=100)
    state.watch.look(4, [Part({}, torch.tensor(torch.nan), ())], None)
    with pytest.raises(NonFiniteLoss, match="step 4"):
        Checkpoints(tmp_path, identity="toy").save(state)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_plain_safetensors_with_json_in_its_header(straight):
    data = (straight / "last.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["distildoc"])["step"] == 9


def test_weights_shared_by_two_modules_are_stored_once():
    one = torch.nn.Linear(2, 2)
    assert list(module_tensors(torch.nn.ModuleList([one, one]))) == ["0.weight", "0.bias"]


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_moments_return_in_the_memory_layout_of_their_weights(toy, tmp_path, optimiser):
    # fused kernels walk weight and moment side by side in memory
    checkpoints = Checkpoints(tmp_path, identity="toy")
    folder = tmp_path / "run"
    state = toy.toy_state(optimiser=optimiser)
    state.student.to(memory_format=torch.channels_last)
    toy.toy_fit(state, folder)
    weight = state.student.body[0].weight
    assert not weight.is_contiguous()
    before = {key: value.clone() for key, value in state.optimiser.state[weight].items() if value is not None}
    tensors, _ = read_tensors(folder / "last.safetensors")
    moments = {k.removeprefix("optimiser/"): v for k, v in tensors.items() if k.startswith("optimiser/")}
    restore_optimiser(state.optimiser, moments)
    after = state.optimiser.state[weight]
    assert len(before) == {"adamw": 3, "sgd": 1}[optimiser]
    for key, value in before.items():
        assert torch.equal(after[key], value)
        assert value.ndim == 0 or after[key].stride() == weight.stride()
    assert checkpoints.restore(state) is False  # nothing was ever written there
