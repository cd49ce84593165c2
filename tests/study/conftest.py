"""Run folders as the stages leave them, made without training."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distildoc.evaluate import Evaluation, PageTable, report_of
from distildoc.evaluate.table import write_predictions

LABELS = ("letter", "memo")
COST = {"parameters": 41_000.0, "macs": 9.1e6, "latency_ms": 1.9, "threads": 1.0, "height": 64.0, "width": 48.0}


def table_with(right: int, pages: int = 40, labels: tuple[str, ...] = LABELS) -> PageTable:
    """The first `right` pages are right with confidence 0.9, the others wrong with 0.6."""
    targets = np.arange(pages) % len(labels)
    rows = np.full((pages, len(labels)), 0.1 / (len(labels) - 1))
    rows[np.arange(pages), targets] = 0.9
    for row in range(right, pages):
        rows[row] = 0.4 / (len(labels) - 1)
        rows[row, (targets[row] + 1) % len(labels)] = 0.6
    return PageTable(tuple(f"page{n}" for n in range(pages)), labels, targets, rows.astype(np.float32))


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def store(folder: Path, table: PageTable) -> Evaluation:
    """The evaluation of a table, without its pictures."""
    report = replace(report_of(table), cost=COST)
    write_json(folder / "evaluation" / "report.json", report.to_json())
    write_predictions(table, folder / "evaluation" / "predictions.csv")
    return Evaluation(report, table)


@pytest.fixture
def make_run(tmp_path):
    def make(name: str, right: int | None, /, *, method: str = "kd", seed: int = 0, **record: object) -> Path:
        folder = tmp_path / "runs" / name
        student = method != "supervised"
        fields = {"format": 1, "name": name, "kind": "student" if student else "supervised", "method": method}
        write_json(folder / "run.json", {**fields, "seed": seed, "config_hash": "0f3a77b2", **record})
        teacher = "teacher: {runs: [runs/teacher]}\n" if student else ""
        (folder / "config.yaml").write_text(f"name: {name}\n{teacher}terms:\n  - {{method: {method}}}\n")
        if right is not None:
            store(folder, table_with(right))
        return folder

    return make


@pytest.fixture
def with_right():
    return table_with


@pytest.fixture
def rescore():
    return store
