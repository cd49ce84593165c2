"""The files that say what a study is: study.yaml for those who work on it, cells.json for those who read it.

    cells.json  {"format": 1, "name", "about", "rows", "columns", "axes": {axis: [choices]}, "baseline", "seeds",
                 "cells": [{"name", "key", "at": {axis: choice}, "seed", "folder", "baseline": key or null}],
                 "before": [{"name", "key", "folder"}]}

Folders are relative to that of the study. A run that stands at several places, as a baseline may, is listed at each.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from distildoc.recipes.folder import write_text
from distildoc.recipes.layers import read_yaml
from distildoc.recipes.settings import validated
from distildoc.schema.errors import InputError
from distildoc.study.config import StudyConfig, dump_study
from distildoc.study.grid import Planned
from distildoc.study.jobs import Plan

FORMAT = 1
STUDY = "study.yaml"
CELLS = "cells.json"


def write_plan(plan: Plan, folder: Path) -> None:
    """Both files, each whole or not at all."""
    write_text(folder / STUDY, yaml.safe_dump(dump_study(plan.study), sort_keys=False))
    write_text(folder / CELLS, json.dumps(_listing(plan, folder), indent=1) + "\n")


def read_planned(folder: Path) -> StudyConfig:
    """The study that is run in a folder; raises InputError where there is none."""
    if not (folder / STUDY).is_file():
        raise InputError(f"{folder}: no study there (no {STUDY}); give the folder that `distildoc study run` wrote")
    return validated(StudyConfig, read_yaml(folder / STUDY), str(folder / STUDY))


def failure_path(folder: Path, key: str) -> Path:
    """Where the cause of a failed job is written down."""
    return folder / "failures" / f"{key}.json"


def _listing(plan: Plan, folder: Path) -> dict[str, Any]:
    study = plan.study
    return {
        "format": FORMAT,
        "name": study.name,
        "about": study.about,
        "rows": study.down,
        "columns": study.across,
        "axes": {axis: list(choices) for axis, choices in study.axes.items()},
        "baseline": None if study.baseline is None else study.baseline.name,
        "seeds": list(study.seeds),
        "cells": [
            {**_named(cell.run, folder), "at": dict(cell.at), "seed": cell.seed, "baseline": cell.baseline}
            for cell in plan.cells
        ],
        "before": [_named(run, folder) for run in plan.before],
    }


def _named(run: Planned, folder: Path) -> dict[str, str]:
    return {"name": run.name, "key": run.key, "folder": run.folder(folder).relative_to(folder).as_posix()}
