"""What the shared cache saves a study: the same cells with cached and with live teachers, one after the other.

    OMP_NUM_THREADS=1 DISTILDOC_DATA=... python benchmarks/study_cost.py runs/methods       (about 10 minutes)

Needs the teacher of a study that was run from studies/methods.yaml. Seven cells on rvl5 (labels alone and six methods,
the smaller student, one seed, half the epochs and half the views of the study); the time of the cache itself counts.
Each way begins with an empty folder that holds the teacher alone, in this process, on one thread. CPU time is what the
ratio is of: the machines are shared. The students of both ways must be the same, bit for bit.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import ROOT, write_result

from distildoc.recipes.screen import SILENT
from distildoc.schema.json_files import read_json
from distildoc.study.config import StudyConfig, read_study
from distildoc.study.jobs import plan
from distildoc.study.pools import Here
from distildoc.study.run import run_study

CHANGES = ("seeds=[0]", "export=none", "run.exams=null", "run.train.epochs=8", "run.augmentation.views=4")


def wanted(cache: bool) -> StudyConfig:
    """The study cut down to one data set and one student."""
    study = read_study(ROOT / "studies" / "methods.yaml", [*CHANGES, f"cache={str(cache).lower()}"])
    axes = {
        "data": {"rvl5": study.axes["data"]["rvl5"]},
        "student": {"micro": study.axes["student"]["micro"]},
        "method": study.axes["method"],
    }
    return study.model_copy(update={"axes": axes})


def timed(study: StudyConfig, folder: Path, trained: Path) -> dict[str, Any]:
    """Seconds of a study whose teacher is there, and the fingerprints of its students."""
    for job in plan(study, folder).jobs:
        if job.kind == "before":
            shutil.copytree(trained / "runs" / job.path.name, job.path)
    wall, cpu = time.monotonic(), time.process_time()
    failed = run_study(study, folder, Here(folder, SILENT), print)
    if failed:
        raise SystemExit(f"failed: {failed}")
    found = {cell.run.name: read_json(cell.run.folder(folder) / "run.json") for cell in plan(study, folder).cells}
    return {
        "wall_seconds": round(time.monotonic() - wall, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "students": {name: record["stages"]["train"]["model"] for name, record in sorted(found.items())},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="folder of the study whose teacher to use")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        ways = {
            name: timed(wanted(cache), Path(scratch) / name, options.trained)
            for name, cache in (("cached", True), ("live", False))
        }
    facts = {
        "cells": len(ways["live"]["students"]),
        "ways": {name: {key: found[key] for key in ("wall_seconds", "cpu_seconds")} for name, found in ways.items()},
        "cpu_ratio_cached_to_live": round(ways["cached"]["cpu_seconds"] / ways["live"]["cpu_seconds"], 3),
        "wall_ratio_cached_to_live": round(ways["cached"]["wall_seconds"] / ways["live"]["wall_seconds"], 3),
        "same_students": ways["cached"]["students"] == ways["live"]["students"],
    }
    print(write_result("study_cost", facts, seeds=[0], software=["torch", "transformers", "numpy"]))


if __name__ == "__main__":
    main()
