"""Every classification method against supervised training on rvl5, paired by seed: runs, scores and summary.

    python benchmarks/rvl5.py --views 2 --seeds 0 1 2        (about 45 s a run on one core; goes on where it stopped)
    python benchmarks/rvl5.py --views 2 --seeds 0 1 2 --summary

Needs runs/rvl5/teacher and runs/rvl5/student_pretrain (see configs/classification/) and DISTILDOC_DATA. All arms of a
seed have the same initial weights (the pre-trained and the wide ones among themselves), pages, order and views. The
student is chosen on a tenth of the training pages; the `val` pages are read once, when a run has ended. The summary
goes to benchmarks/results/rvl5_views{V}.json.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from distildoc.core.model import parameter_count
from distildoc.metrics import Difference
from distildoc.models.load import load_model
from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.files import read_run_file
from distildoc.recipes.folder import hardware
from distildoc.study.groups import Group, accuracy_gain, group_runs
from distildoc.study.runs import read_runs

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs" / "classification"
RUNS = Path("runs/rvl5")
SCORES = ("accuracy", "macro_f1", "aurc", "ece", "nll", "brier")
BEFORE = (
    "distildoc corpus make runs/corpus --pages 2400 --seed 0",
    "distildoc train configs/classification/pretrain.yaml -o runs/rvl5/pretrain",
    "distildoc run configs/classification/teacher.yaml -o runs/rvl5/teacher",
    "distildoc train configs/classification/student_pretrain.yaml -o runs/rvl5/student_pretrain",
)
# arm: the arm it is paired with
ARMS = {
    "supervised": None,
    "kd": "supervised",
    "kd_labels": "supervised",
    "logit_mse": "supervised",
    "nkd": "supervised",
    "nkd_alone": "supervised",
    "fitnet": "supervised",
    "kd_fitnet": "supervised",
    "simkd_mlp": "supervised",
    "simkd_cnn": "supervised",
    "wide_supervised": None,
    "wide_simkd_none": "wide_supervised",
    "supervised_pretrained": "supervised",
    "kd_pretrained": "supervised_pretrained",
}


def config_of(arm: str, views: int, seed: int) -> RunConfig:
    """The shipped run file of an arm, in one regime and with one seed."""
    overrides = [f"seed={seed}", f"augmentation.views={views}", f"name={arm}-s{seed}"]
    if "supervised" not in arm:
        overrides.append(f"teacher.cache=runs/rvl5/cache-{views}")
    return read_run_file(CONFIGS / f"{arm}.yaml", overrides)


def folder_of(arm: str, views: int, seed: int) -> Path:
    return RUNS / f"views{views}" / f"{arm}-s{seed}"


def is_done(arm: str, views: int, seed: int) -> bool:
    return (folder_of(arm, views, seed) / "evaluation" / "report.json").is_file()


def run_all(arms: list[str], views: int, seeds: list[int]) -> None:
    """Train and score what is missing; the first seed is exported and verified as well."""
    for seed in seeds:
        for arm in arms:
            config, folder = config_of(arm, views, seed), folder_of(arm, views, seed)
            if is_done(arm, views, seed):
                continue
            if config.teacher is not None:
                stages.cache(config)
            print(stages.train(config, folder), flush=True)
            print(stages.evaluate(folder), flush=True)
            if seed == seeds[0]:
                print(stages.export(folder), flush=True)
                print(stages.verify(folder), flush=True)


def summarise(arms: list[str], views: int, seeds: list[int]) -> dict[str, Any]:
    """Scores of every arm, and its gain over the arm it is paired with."""
    groups = {
        group.name: group for group in group_runs(read_runs([folder_of(a, views, s) for a in arms for s in seeds]))
    }
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT)
    return {
        "command": f"python benchmarks/rvl5.py --views {views} --seeds {' '.join(map(str, seeds))}",
        "before": BEFORE,
        "commit": commit.stdout.strip(),
        "hardware": hardware(),
        "seeds": seeds,
        "views": views,
        "pages": "rvl5: 1,571 to train on, 174 set aside to choose on, 374 `val` pages read once",
        "teacher": teacher_facts(),
        "arms": {arm: arm_facts(arm, groups, views, seeds) for arm in arms if arm in groups},
    }


def teacher_facts() -> dict[str, Any]:
    """Size and scores of the teacher."""
    report = json.loads((RUNS / "teacher" / "evaluation" / "report.json").read_text())
    record = json.loads((RUNS / "teacher" / "run.json").read_text())
    return {
        "parameters": parameter_count(load_model(RUNS / "teacher" / "model")),
        "accuracy_set_aside": record["stages"]["train"]["validation_accuracy"],
        "scores": {name: report["scores"][name] for name in SCORES},
    }


def arm_facts(arm: str, groups: dict[str, Group], views: int, seeds: list[int]) -> dict[str, Any]:
    """Mean scores over the seeds, each seed's accuracy, and the paired gain with its 95 % interval."""
    group, paired = groups[arm], ARMS[arm]
    per_seed = [report.scores["accuracy"].value for report in group.reports]
    facts: dict[str, Any] = {
        "parameters": parameter_count(load_model(folder_of(arm, views, seeds[0]) / "model")),
        "accuracy_by_seed": [round(value, 4) for value in per_seed],
        "mean": {name: _mean(group, name) for name in SCORES},
        "ece_uncalibrated": _uncalibrated(arm, views, seeds),
        "accuracy_set_aside": _set_aside(group),
        "train_seconds": round(float(np.mean([_stage(run.record)["seconds"] for run in group.runs])), 1),
    }
    if paired in groups:
        facts["against"] = paired
        facts["gain"] = _gain(accuracy_gain(group, groups[paired]))
        base = [report.scores["accuracy"].value for report in groups[paired].reports]
        facts["gain_by_seed"] = [round(a - b, 4) for a, b in zip(per_seed, base, strict=True)]
    return facts


def _mean(group: Group, name: str) -> float | None:
    score = group.score(name)
    return None if score is None else round(score.value, 4)


def _gain(found: Difference | None) -> dict[str, float] | None:
    return None if found is None else {k: round(getattr(found, k), 4) for k in ("value", "low", "high")}


def _stage(record: Any) -> Any:
    return record["stages"]["train"]


def _set_aside(group: Group) -> float:
    return round(float(np.mean([_stage(run.record)["validation_accuracy"] for run in group.runs])), 4)


def _uncalibrated(arm: str, views: int, seeds: list[int]) -> float:
    paths = [folder_of(arm, views, seed) / "evaluation" / "report_uncalibrated.json" for seed in seeds]
    return round(float(np.mean([json.loads(p.read_text())["scores"]["ece"]["value"] for p in paths])), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--summary", action="store_true", help="only summarise what is there")
    options = parser.parse_args()
    os.chdir(ROOT)
    if not options.summary:
        run_all(options.arms, options.views, options.seeds)
    done = [arm for arm in ARMS if all(is_done(arm, options.views, seed) for seed in options.seeds)]
    summary = summarise(done, options.views, options.seeds)
    out = ROOT / "benchmarks" / "results" / f"rvl5_views{options.views}.json"
    out.write_text(json.dumps(summary, indent=1) + "\n")
    print(out)


if __name__ == "__main__":
    main()
