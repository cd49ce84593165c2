"""Every layout method against supervised training on poleval, paired by seed: runs, scores and summary.

    python benchmarks/poleval.py --seeds 0 1            (two runs side by side, a thread each; goes on where it stopped)
    python benchmarks/poleval.py --seeds 0 1 --summary
    python benchmarks/poleval.py --longer 2.5 --runs runs/layout_longer --name poleval_longer --arms supervised ...

Needs runs/layout/teacher, runs/layout/pretrain_student_more and, for encoder_hint, runs/layout/encoder_hint_start (see
BEFORE) and DISTILDOC_DATA. All arms of a seed have the same initial weights, order and augmentation seeds and as many
steps, within three in a hundred; the distilled ones see 300 pages without labels besides. No score chooses a state of a
student: the last one is kept. The `val` pages are read once, when a run has ended. The summary goes to
benchmarks/results/poleval.json.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from measuring import ROOT, write_result

from distildoc.core.model import parameter_count
from distildoc.evaluate.layout_files import read_layouts
from distildoc.metrics.bootstrap import paired_difference_of_means
from distildoc.metrics.detection import LayoutOutcomes, ap75s, maps
from distildoc.metrics.detection_curves import f1s
from distildoc.models.load import load_model
from distildoc.recipes.files import read_run_file

RUNS = Path("runs/layout")
CONFIGS = Path("configs/detection")
ARMS_IN = [RUNS]  # another folder where arms had another start
SCORES = ("map", "ap50", "ap75", "map_post", "precision", "recall", "f1")
BEFORE = (
    "distildoc corpus make runs/layout/corpus --pages 6000 --seed 3",
    "distildoc train configs/detection/pretrain_student.yaml -o runs/layout/pretrain_student",
    "distildoc train configs/detection/pretrain_student_more.yaml -o runs/layout/pretrain_student_more",
    "distildoc train configs/detection/pretrain_teacher.yaml -o runs/layout/pretrain_teacher",
    "distildoc run configs/detection/teacher.yaml -o runs/layout/teacher",
    "distildoc train configs/detection/encoder_hint_start.yaml -o runs/layout/encoder_hint_start",
)
BASELINE = "supervised"
ARMS = (
    BASELINE,
    "pseudo_labels",
    "query_kd",
    "query_pseudo",
    "edge_kd",
    "simkd_layout",
    "fitnet",
    "reviewkd",
    "foreground",
    "icd",
    "encoder_hint",
)


def folder_of(arm: str, seed: int) -> Path:
    return ARMS_IN[0] / f"{arm}-s{seed}"


def is_done(arm: str, seed: int) -> bool:
    return (folder_of(arm, seed) / "evaluation" / "report.json").is_file()


def run_one(arm: str, seed: int, longer: float) -> None:
    """Train and score in a process of its own, on one thread."""
    distildoc, folder = [sys.executable, "-m", "distildoc"], str(folder_of(arm, seed))
    config = CONFIGS / f"{arm}.yaml"
    epochs = round(longer * read_run_file(config).train.epochs)
    named = [str(config), f"seed={seed}", f"name={arm}-s{seed}", f"train.epochs={epochs}"]
    for stage in ([*distildoc, "train", *named, "-o", folder], [*distildoc, "evaluate", folder]):
        done = subprocess.run(stage, capture_output=True, text=True)
        line = (done.stdout + done.stderr).strip().splitlines()[-1:]
        print(arm, seed, *line, flush=True)
        if done.returncode:
            return


def run_all(arms: list[str], seeds: list[int], workers: int, longer: float) -> None:
    missing = [(arm, seed) for arm in arms for seed in seeds if not is_done(arm, seed)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda job: run_one(*job, longer), missing))


def report_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "evaluation" / "report.json").read_text()))


def trained(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text())["stages"]["train"])


@cache
def outcomes_of(arm: str, seed: int) -> tuple[LayoutOutcomes, LayoutOutcomes]:
    """Of the detections as they come, and of those that are shown."""
    table = read_layouts(folder_of(arm, seed) / "evaluation")
    shown = table.post_outcomes
    assert shown is not None
    return table.outcomes, shown


def gains(arm: str, seeds: list[int]) -> dict[str, dict[str, float]]:
    """Over the baseline, with intervals over pages: of detections as they come, and of what is shown to people (f1)."""
    sides = [[outcomes_of(name, seed) for seed in seeds] for name in (arm, BASELINE)]
    plain, shown = ([[one[kind] for one in side] for side in sides] for kind in (0, 1))
    found = {
        "gain": paired_difference_of_means(maps, *plain),
        "gain_ap75": paired_difference_of_means(ap75s, *plain),
        "gain_map_post": paired_difference_of_means(maps, *shown),
        "gain_f1": paired_difference_of_means(f1s, *shown),
    }
    return {name: {key: round(getattr(one, key), 4) for key in ("value", "low", "high")} for name, one in found.items()}


def arm_facts(arm: str, seeds: list[int]) -> dict[str, Any]:
    """Mean scores over the seeds, each seed's mAP with its interval over pages, and the paired gain."""
    folders = [folder_of(arm, seed) for seed in seeds]
    reports = [report_of(folder)["scores"] for folder in folders]
    facts: dict[str, Any] = {
        "parameters": parameter_count(load_model(folders[0] / "model")),
        "start": read_run_file(folders[0] / "config.yaml").start,
        "steps": trained(folders[0])["steps"],
        "train_seconds": round(float(np.mean([trained(folder)["seconds"] for folder in folders])), 1),
        "mean": {name: round(float(np.mean([one[name]["value"] for one in reports])), 4) for name in SCORES},
        "f1_by_seed": [round(one["f1"]["value"], 4) for one in reports],
        "map_by_seed": [{key: round(value, 4) for key, value in one["map"].items()} for one in reports],
    }
    if arm != BASELINE:
        facts |= gains(arm, seeds)
        base = [report_of(folder_of(BASELINE, seed))["scores"]["map"]["value"] for seed in seeds]
        facts["gain_by_seed"] = [round(one["map"]["value"] - b, 4) for one, b in zip(reports, base, strict=True)]
    return facts


def teacher_facts() -> dict[str, Any]:
    folder = RUNS / "teacher"
    scores = report_of(folder)["scores"]
    return {
        "parameters": parameter_count(load_model(folder / "model")),
        "scores": {name: {key: round(value, 4) for key, value in scores[name].items()} for name in SCORES},
        "classes": {
            name.removeprefix("class: "): round(slice["ap"]["value"], 4)
            for name, slice in report_of(folder)["slices"].items()
            if name.startswith("class: ") and "ap" in slice
        },
    }


def pretraining() -> dict[str, Any]:
    """What teacher and students start from: pages seen, seconds, and mAP on corpus pages set aside."""
    names = ("pretrain_student", "pretrain_student_more", "pretrain_teacher")
    found = {name: trained(RUNS / name) for name in names}
    return {
        name: {key: one[key] for key in ("parameters", "steps", "seconds", "validation_map")}  # steps of its own
        for name, one in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument(
        "--longer", type=float, default=1.0, help="times the epochs of every arm, for runs of their own"
    )
    parser.add_argument("--workers", type=int, default=2, help="runs side by side")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the arms' runs")
    parser.add_argument("--name", default="poleval", help="of the result file")
    parser.add_argument("--summary", action="store_true", help="only summarise what is there")
    options = parser.parse_args()
    if options.longer != 1 and (options.runs == RUNS or options.name == "poleval"):
        parser.error("--longer makes other runs; give them a folder with --runs and a result with --name")
    os.chdir(ROOT)
    ARMS_IN[0] = options.runs
    if not options.summary:
        run_all(options.arms, options.seeds, options.workers, options.longer)
    done = [arm for arm in options.arms if all(is_done(arm, seed) for seed in options.seeds)]
    facts = {
        "before": BEFORE,
        "pages": "poleval: 198 of 14 documents to learn from, a tenth of them set aside for thresholds; 300 without "
        "labels; 51 `val` pages read once",
        "pretraining": pretraining(),
        "teacher": teacher_facts(),
        "arms": {arm: arm_facts(arm, options.seeds) for arm in done},
    }
    print(write_result(options.name, facts, seeds=options.seeds, software=["torch", "transformers", "numpy"]))


if __name__ == "__main__":
    main()
