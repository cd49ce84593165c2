"""Records: what happened, one JSON object a line, without a step standing there twice after a resumption.

    {"kind": "train", "step": 20, "epoch": 0.4, "losses": {"kd": 1.2}, "total": 1.2, "lr": 0.001, "grad_norm": 0.8,
     "pages_per_s": 210.3, "seconds": 6.1}
    {"kind": "validation", "step": 50, "epoch": 1, "score": 0.71}
    {"kind": "end", "step": 500, "epoch": 10, "best_score": 0.83, "best_epoch": 9, "seconds": 152.7}

`step` counts optimiser steps done. `epoch` is fractional in `train` and counts epochs done elsewhere. `losses` are
means over the steps since the line before, unweighted; a number that is not finite is written as null.
"""

import json
import math
from pathlib import Path

from distildoc.schema.errors import InputError
from distildoc.schema.writing import new_file

Record = dict[str, object]


class Records:
    """Appends to one file; each line reaches the operating system before `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, record: Record) -> None:
        """Append one line; raises InputError where the disk refuses."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_finite(record), allow_nan=False) + "\n")
        except OSError as error:
            raise InputError(f"cannot write the records {self.path}: {error}") from error

    def resume(self, *, step: int, epoch: int) -> None:
        """Drop what comes after a position (steps and epochs done), and what a killed process left unfinished."""
        if not self.path.exists():
            return
        kept = [record for record in read_records(self.path) if _before(record, step=step, epoch=epoch)]
        with new_file(self.path) as file:
            file.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")


def read_records(path: Path) -> list[Record]:
    """The records of a file, in order; an unfinished last line is left out.

    Raises InputError naming the line that is no JSON object.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    records: list[Record] = []
    for number, line in enumerate(lines[:-1], start=1):  # a finished line ends with a newline
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise InputError(f"{path}, line {number} is no JSON object; delete the line or the file")
        records.append(record)
    return records


def _before(record: Record, *, step: int, epoch: int) -> bool:
    number, done = record.get("step"), record.get("epoch")
    if not isinstance(number, int) or not isinstance(done, int | float):
        return False
    if record.get("kind") == "train":
        return number <= step
    return record.get("kind") == "validation" and done <= epoch


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
