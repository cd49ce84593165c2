"""A run that was stopped or killed goes on as if it had never been."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.files import dump

ConfigOf = Callable[..., RunConfig]
LONG = {"epochs": 30, "checkpoint_steps": 1, "ema": 0.9}


class Command:
    """`distildoc train` in a process of its own."""

    def __init__(self, run_file: Path, out: Path) -> None:
        self.last = out / "checkpoints" / "last.safetensors"
        words = [sys.executable, "-m", "distildoc", "train", str(run_file), "-o", str(out)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def stop_after_a_checkpoint(self, number: int) -> tuple[int, str]:
        """Wait for the next checkpoint, send the signal; exit code and what was said."""
        before = self.last.stat().st_mtime_ns if self.last.exists() else 0
        deadline = time.monotonic() + 120
        while not self.last.exists() or self.last.stat().st_mtime_ns == before:
            assert self.process.poll() is None and time.monotonic() < deadline, self.process.communicate()
            time.sleep(0.005)
        self.process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str]:
        _, words = self.process.communicate(timeout=120)
        return self.process.returncode, words.decode()


def test_stopped_then_killed_run_ends_with_the_bytes_of_an_unbroken_one(
    config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    terms = [{"method": "supervised"}, {"method": "fitnet", "weight": 0.1}]
    config = config_of(train=LONG, teacher={"runs": [str(teacher)]}, terms=terms, augmentation={"views": 3})
    stages.train(config, tmp_path / "unbroken")
    (tmp_path / "run.yaml").write_text(dump(config), encoding="utf-8")
    out = tmp_path / "broken"

    code, words = Command(tmp_path / "run.yaml", out).stop_after_a_checkpoint(signal.SIGINT)
    assert code == 130
    last = words.strip().splitlines()[-1]
    assert last.startswith("stopped by SIGINT at step") and "the same command goes on" in last
    assert "Traceback" not in words and not (out / "run.json").exists()

    code, _ = Command(tmp_path / "run.yaml", out).stop_after_a_checkpoint(signal.SIGKILL)
    assert code == -signal.SIGKILL and not (out / "run.json").exists()

    code, words = Command(tmp_path / "run.yaml", out).end()
    assert code == 0 and "going on from step" in words
    unbroken, broken = ((tmp_path / n / "model" / "model.safetensors").read_bytes() for n in ("unbroken", "broken"))
    assert broken == unbroken


@pytest.mark.slow
def test_killed_cache_goes_on_and_holds_what_an_unbroken_one_holds(
    config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    configs = [
        config_of(
            augmentation={"views": 40},
            train={"batch": 1},
            teacher={"runs": [str(teacher)], "cache": str(tmp_path / name)},
            terms=[{"method": "kd"}],
        )
        for name in ("unbroken", "broken")
    ]
    stages.cache(configs[0])
    (tmp_path / "run.yaml").write_text(dump(configs[1]), encoding="utf-8")
    words = [sys.executable, "-m", "distildoc", "cache", str(tmp_path / "run.yaml")]
    process = subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not (tmp_path / "broken.partial").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "broken").exists()
    stages.cache(configs[1])
    found = [sorted((tmp_path / name).glob("*.npy")) for name in ("unbroken", "broken")]
    assert len(found[0]) == len(found[1]) == 1
    assert found[0][0].read_bytes() == found[1][0].read_bytes()


def test_two_processes_share_the_pages_of_a_run(config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of(train={"epochs": 1, "batch": 4})
    (tmp_path / "run.yaml").write_text(dump(config), encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
    words = ["-m", "distildoc", "train", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*launch, *words], capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=200
    )
    assert done.returncode == 0, done.stderr.decode()
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    pages = len((tmp_path / "out" / "train_pages.txt").read_text(encoding="utf-8").splitlines()) - 1  # a header
    assert record["stages"]["train"]["steps"] == pages // 8
