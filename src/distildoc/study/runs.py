"""Run folders as records: what each run was, what came out, and where its pages are.

RUN/{run.json, config.yaml, records.jsonl, evaluation/{report.json, predictions.csv or truth.json and detections.json},
bundle/}; only run.json must be there, so that a page can be made of runs that are not finished.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from distildoc.evaluate.layout_files import TRUTH, read_layout_predictions
from distildoc.evaluate.table import PageTable, read_predictions
from distildoc.metrics import LayoutOutcomes
from distildoc.schema.errors import InputError
from distildoc.schema.json_files import read_json
from distildoc.schema.report import Report, read_report
from distildoc.train.records import read_records

MAX_CONFIG_BYTES = 1 << 20
MAX_RECORDS_BYTES = 256 << 20  # a line a validation and one in 20 steps: some hundred bytes each
ROLES = ("teacher", "supervised", "student")  # in the order of a table
SEED = re.compile(r"[-_.]?(?:seed|s)[-_]?\d+$")  # what tells the seeds of one run apart in their names


@dataclass(frozen=True)
class Run:
    """One run folder.

    role      teacher, supervised (learnt from labels alone) or student.
    record    run.json as it stands.
    history   (epochs done, validation score) in order.
    teachers  folders the run names as its teachers.
    """

    path: Path
    name: str
    role: str
    method: str
    seed: int | None
    record: Mapping[str, object]
    config: str = ""
    report: Report | None = None
    history: tuple[tuple[float, float], ...] = ()
    teachers: tuple[str, ...] = ()
    bundle_bytes: int | None = None
    bundle: Mapping[str, object] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The name without its seed."""
        return SEED.sub("", self.name) or self.name

    def table(self) -> PageTable | None:
        """What it said about each page of its evaluation, where that is stored."""
        path = self.path / "evaluation" / "predictions.csv"
        return read_predictions(path) if path.is_file() else None

    def layouts(self) -> LayoutOutcomes | None:
        """What became of the regions it found on the pages of its evaluation, where they are stored."""
        folder = self.path / "evaluation"
        return read_layout_predictions(folder) if (folder / TRUTH).is_file() else None


def read_runs(folders: Sequence[Path]) -> tuple[Run, ...]:
    """All runs, each once, in the order given; those called `teacher`, or named as one by others, have that role.

    Raises InputError for a folder that holds no run.
    """
    if not folders:
        raise InputError("no run given; name at least one run folder")
    runs = [read_run(folder) for folder in dict.fromkeys(Path(folder).resolve() for folder in folders)]
    named = {Path(teacher).name for run in runs for teacher in run.teachers}
    return tuple(replace(run, role="teacher") if _teaches(run, named) else run for run in runs)


def read_run(folder: Path) -> Run:
    """The run in a folder; raises InputError naming the file that cannot be used."""
    if not (folder / "run.json").is_file():
        raise InputError(f"{folder}: no run there (no run.json); give folders that `distildoc train` wrote")
    record = read_json(folder / "run.json")
    config = _text(folder / "config.yaml")
    method = str(record.get("method") or "")
    seed = record.get("seed")
    kind = record.get("kind")
    return Run(
        path=folder,
        name=str(record.get("name") or folder.name),
        role=str(kind) if kind in ROLES else "supervised" if method == "supervised" else "student",
        method=method,
        seed=seed if isinstance(seed, int) else None,
        record=record,
        config=config,
        report=_report(folder / "evaluation" / "report.json"),
        history=_history(folder / "records.jsonl"),
        teachers=_teachers(config),
        bundle_bytes=_bytes(folder / "bundle"),
        bundle=read_json(folder / "bundle" / "bundle.json") if (folder / "bundle" / "bundle.json").is_file() else {},
    )


def _teaches(run: Run, named: set[str]) -> bool:
    return run.role == "supervised" and (run.path.name in named or run.stem == "teacher")


def _report(path: Path) -> Report | None:
    return read_report(path) if path.is_file() else None


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise InputError(f"{path}: {path.stat().st_size} bytes, more than the {MAX_CONFIG_BYTES} of a run file")
    return path.read_text(encoding="utf-8", errors="replace")


def _teachers(config: str) -> tuple[str, ...]:
    try:
        content = yaml.safe_load(config)
    except (yaml.YAMLError, RecursionError):
        return ()
    teacher = content.get("teacher") if isinstance(content, dict) else None
    runs = teacher.get("runs") if isinstance(teacher, dict) else None
    return tuple(map(str, runs)) if isinstance(runs, list) else ()


def _history(path: Path) -> tuple[tuple[float, float], ...]:
    if not path.is_file():
        return ()
    if path.stat().st_size > MAX_RECORDS_BYTES:
        raise InputError(f"{path}: {path.stat().st_size} bytes, more than the {MAX_RECORDS_BYTES} of records")
    points = []
    for record in read_records(path):
        epoch, score = record.get("epoch"), record.get("score")
        if record.get("kind") == "validation" and isinstance(epoch, int | float) and isinstance(score, int | float):
            points.append((float(epoch), float(score)))
    return tuple(points)


def _bytes(folder: Path) -> int | None:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else None
