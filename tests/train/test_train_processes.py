import os
import socket
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from distildoc.schema.errors import ConfigError
from distildoc.train import processes
from distildoc.train.fit import Plan
from distildoc.train.processes import make_accelerator
from distildoc.train.state import Horizon, Optimisation, begin
from distildoc.train.steps import steps
from distildoc.train.stored import read_tensors


def test_bfloat16_runs_the_forward_in_bfloat16_and_keeps_weights_in_fp32(toy):
    accelerator = make_accelerator("bf16", cpu=True)
    distiller, seen = toy.ToyDistiller(toy.toy_student()), []
    distiller.student.head.register_forward_hook(lambda module, given, output: seen.append(output.dtype))
    state = begin(distiller, accelerator, optimisation=Optimisation(), seed=0)
    logs = list(steps(state, toy.ToyLoader().epoch(0), toy.ToyTeacher(), horizon=Horizon(6, 1)))
    assert set(seen) == {torch.bfloat16}
    assert {weight.dtype for weight in distiller.parameters()} == {torch.float32}
    assert {log.total.dtype for log in logs} == {torch.float32}


def test_one_process_may_train_in_one_precision_after_the_other():
    assert make_accelerator("bf16", cpu=True).mixed_precision == "bf16"
    assert make_accelerator("no", cpu=True).mixed_precision == "no"


def test_precision_comes_from_the_launcher_where_none_is_given(monkeypatch):
    AcceleratorState._reset_state()
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert make_accelerator(cpu=True).mixed_precision == "bf16"
    AcceleratorState._reset_state()


def test_an_accumulation_flag_of_the_launcher_does_not_scale_the_loss(monkeypatch):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    accelerator = make_accelerator("no", cpu=True)
    weight = torch.ones(1, requires_grad=True)
    accelerator.backward(3 * weight.sum())
    assert float(weight.grad) == 3.0


def test_fp16_without_a_gpu_names_the_precisions_that_work():
    with pytest.raises(ConfigError, match=r"'fp16' needs a GPU.*'bf16'"):
        make_accelerator("fp16", cpu=True)


def test_a_missing_tracker_library_names_the_extra(monkeypatch, tmp_path):
    def missing(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(processes, "find_spec", missing)
    with pytest.raises(ImportError, match=r"distildoc\[track\]"):
        make_accelerator("no", cpu=True, trackers=["tensorboard"], project=tmp_path)


def test_an_unknown_tracker_and_a_tracker_without_a_folder_are_refused():
    with pytest.raises(ConfigError, match="known: tensorboard"):
        make_accelerator("no", cpu=True, trackers=["wandb"])
    with pytest.raises(ConfigError, match="folder"):
        make_accelerator("no", cpu=True, trackers=["tensorboard"])


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _two_processes(toy, folder, *arguments):
    """Two gloo processes, started as torchrun starts them, without the launcher's own seconds."""
    shared = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    script = [sys.executable, str(Path(toy.__file__)), str(folder), "--shared", *arguments]
    started = [
        subprocess.Popen(
            script,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], "\n".join(outputs)


def test_two_processes_equal_one_with_batches_twice_as_large(toy, tmp_path):
    # 23 pages in batches of 2 a process, two of them a step: in the last step of an epoch their shares are unequal
    _two_processes(toy, tmp_path / "two")
    state = toy.toy_state(optimiser="sgd", lr=0.02)
    plan = Plan(2, accumulate=2, clip_norm=1.0)
    toy.toy_fit(state, tmp_path / "one", loader=toy.ToyLoader(pages=23, batch=4), plan=plan)
    two, facts = read_tensors(tmp_path / "two" / "last.safetensors")
    one, expected = read_tensors(tmp_path / "one" / "last.safetensors")
    assert (facts["world"], facts["step"]) == (2, expected["step"])
    names = [name for name in one if name.startswith(("distiller/", "ema/"))]
    assert len(names) > 8
    for name in names:
        torch.testing.assert_close(two[name], one[name], rtol=1e-5, atol=1e-6)
