"""RunFolder: where a run keeps its stages, each under the hash of what made it."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from distildoc.recipes.config import RunConfig
from distildoc.recipes.files import config_hash, dump, read_run_file
from distildoc.schema.errors import InputError
from distildoc.schema.json_files import read_json
from distildoc.schema.writing import new_file

FORMAT = 1
STAGES = ("train", "evaluate", "export", "verify")  # each reads what those before it wrote


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and its `run.json`: what was done, with what, and what came out."""

    path: Path

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation"

    @property
    def bundle(self) -> Path:
        return self.path / "bundle"

    def config(self) -> RunConfig:
        """The run file that is stored with the run."""
        stored = self.path / "config.yaml"
        if not stored.is_file():
            raise InputError(
                f"{self.path}: no run there (no config.yaml); give the folder that `distildoc train` wrote"
            )
        return read_run_file(stored)

    def refuse_other(self, config: RunConfig) -> None:
        """Raises InputError where the folder holds another run; writes nothing."""
        if (self.path / "config.yaml").is_file() and config_hash(self.config()) != config_hash(config):
            raise InputError(
                f"{self.path}: holds a run with other settings ({config_hash(self.config())}, this one is "
                f"{config_hash(config)}); choose another folder with -o, or delete it"
            )

    def claim(self, config: RunConfig) -> None:
        """Take the folder for this run; raises InputError where it holds another one.

        Exams may differ from those stored with the run: the new ones replace them.
        """
        self.refuse_other(config)
        if not (self.path / "config.yaml").is_file() or self.config().exams != config.exams:
            write_text(self.path / "config.yaml", dump(config))

    def stage(self, name: str) -> dict[str, Any] | None:
        """What a finished stage wrote down, or None."""
        stages = self.read().get("stages")
        found = stages.get(name) if isinstance(stages, dict) else None
        return dict(found) if found else None

    def require(self, name: str, way_out: str) -> dict[str, Any]:
        """Like `stage`, but raises InputError for a stage that has not finished."""
        found = self.stage(name)
        if found is None:
            raise InputError(f"{self.path}: stage '{name}' has not finished; {way_out}")
        return found

    def read(self) -> dict[str, Any]:
        """run.json, or an empty mapping before the first stage has finished."""
        path = self.path / "run.json"
        return read_json(path) if path.is_file() else {}

    def source(self) -> dict[str, str]:
        """Where things made from this run come from."""
        record = self.read()
        return {"run": str(record["name"]), "config_hash": str(record["config_hash"])}

    def finish(self, name: str, result: Mapping[str, object]) -> None:
        """Write a stage's result into run.json; what later stages made of an older result no longer counts."""
        config = self.config()
        record: dict[str, Any] = self.read() or {
            "format": FORMAT,
            "name": config.name,
            "kind": "student" if config.teacher else "supervised",
            "method": "+".join(term.method for term in config.terms),
            "seed": config.seed,
            "config_hash": config_hash(config),
            "versions": {name: version(name) for name in ("distildoc", "torch", "transformers", "numpy")},
            "hardware": hardware(),
            "stages": {},
        }
        later = STAGES[STAGES.index(name) + 1 :]
        record["stages"] = {stage: old for stage, old in record["stages"].items() if stage not in later}
        record["stages"][name] = dict(result)
        write_text(self.path / "run.json", json.dumps(record, indent=1))


def hardware() -> str:
    """Processor and cores, in words."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"


def write_text(path: Path, text: str) -> None:
    """Replace a file at once, so that a reader sees the old or the new content."""
    with new_file(path) as part:
        part.write_text(text, encoding="utf-8")
