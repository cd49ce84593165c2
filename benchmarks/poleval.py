"""Every layout method against supervised training on poleval, paired by seed: runs, scores and summary.

    python benchmarks/poleval.py --seeds 0 1            (two runs side by side, a thread each; goes on where it stopped)
    python benchmarks/poleval.py --seeds 0 1 --summary
    python benchmarks/poleval.py --longer 2.5 --runs runs/layout_longer --name poleval_longer --arms supervised ...
    python benchmarks/poleval.py --family rcnn --seeds 0 1

Needs DISTILDOC_DATA and what `before` of the family makes (see FAMILIES): teacher and starts. All arms of a seed have
the same initial weights, order and augmentation seeds and as many steps, within three in a hundred; the distilled ones
see 300 pages without labels besides. No score chooses a state of a student: the last one is kept. The `val` pages are
read once, when a run has ended. The summary goes to benchmarks/results/poleval.json, or poleval_rcnn.json.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from measuring import RESULTS, ROOT, write_result
from poleval_families import BASELINE, FAMILIES, OTHERS, RESULT_OF, Family

from distildoc.core.model import parameter_count
from distildoc.evaluate.layout_files import read_layouts
from distildoc.metrics.bootstrap import paired_difference_of_means
from distildoc.metrics.detection import LayoutOutcomes, ap75s, maps
from distildoc.metrics.detection_curves import f1s
from distildoc.models.load import load_model
from distildoc.recipes.files import read_run_file

SCORES = ("map", "ap50", "ap75", "map_post", "precision", "recall", "f1")


def folder_of(runs: Path, arm: str, seed: int) -> Path:
    return runs / f"{arm}-s{seed}"


def is_done(folder: Path) -> bool:
    return (folder / "evaluation" / "report.json").is_file()


def stage_of(family: Family, arm: str) -> str | None:
    """The run file that an arm goes on from, if that is trained with every seed."""
    start = Path(read_run_file(family.configs / f"{arm}.yaml").start or "").name
    return start if start in family.stages else None


def commands(family: Family, arm: str, seed: int, runs: Path, longer: float) -> list[list[str]]:
    """What trains an arm, and what it goes on from, and scores it."""
    distildoc = [sys.executable, "-m", "distildoc"]
    config, folder, stage = family.configs / f"{arm}.yaml", folder_of(runs, arm, seed), stage_of(family, arm)
    epochs = round(longer * read_run_file(config).train.epochs)
    named = [str(config), f"seed={seed}", f"name={folder.name}", f"train.epochs={epochs}"]
    if stage is not None:
        named.append(f"start={folder_of(runs, stage, seed)}")
    found = [[*distildoc, "train", *named, "-o", str(folder)], [*distildoc, "evaluate", str(folder)]]
    return found if stage is None else [*commands(family, stage, seed, runs, longer)[:-1], *found]


def earlier_runs(family: Family, arm: str, seeds: Sequence[int], runs: Path) -> list[Path]:
    """What an arm went on from, a run a seed; none for most."""
    stage = stage_of(family, arm)
    return [] if stage is None else [folder_of(runs, stage, seed) for seed in seeds]


def run_one(family: Family, arm: str, seed: int, runs: Path, longer: float) -> None:
    """Train and score in a process of its own, on one thread."""
    folder = folder_of(runs, arm, seed)
    for command in commands(family, arm, seed, runs, longer):
        done = subprocess.run(command, capture_output=True, text=True)
        line = (done.stdout + done.stderr).strip().splitlines()[-1:]
        print(folder.name, *line, flush=True)
        if done.returncode:
            return


def run_all(family: Family, runs: Path, options: argparse.Namespace) -> None:
    jobs = [(arm, seed) for arm in options.arms for seed in options.seeds]
    with ThreadPoolExecutor(options.workers) as pool:
        begun = [
            pool.submit(run_one, family, arm, seed, runs, options.longer)
            for arm, seed in jobs
            if not is_done(folder_of(runs, arm, seed))
        ]
        for one in begun:
            one.result()


def report_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "evaluation" / "report.json").read_text()))


def trained(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text())["stages"]["train"])


@cache
def outcomes_of(folder: Path) -> tuple[LayoutOutcomes, LayoutOutcomes]:
    """Of the detections as they come, and of those that are shown."""
    table = read_layouts(folder / "evaluation")
    shown = table.post_outcomes
    assert shown is not None
    return table.outcomes, shown


def gains(folders: list[Path], baseline: list[Path]) -> dict[str, dict[str, float]]:
    """Over the baseline, with intervals over pages: of detections as they come, and of what is shown to people (f1)."""
    sides = [[outcomes_of(folder) for folder in side] for side in (folders, baseline)]
    plain, shown = ([[one[kind] for one in side] for side in sides] for kind in (0, 1))
    found = {
        "gain": paired_difference_of_means(maps, *plain),
        "gain_ap75": paired_difference_of_means(ap75s, *plain),
        "gain_map_post": paired_difference_of_means(maps, *shown),
        "gain_f1": paired_difference_of_means(f1s, *shown),
    }
    return {name: {key: round(getattr(one, key), 4) for key in ("value", "low", "high")} for name, one in found.items()}


def arm_facts(folders: list[Path], baseline: list[Path], earlier: list[Path]) -> dict[str, Any]:
    """Mean scores over the seeds, each seed's mAP with its interval over pages, and the paired gain.

    earlier  the runs that these went on from, of the same seeds, if there are any: their steps and time count.
    """
    whole = [*zip(earlier, folders, strict=True)] if earlier else [(folder,) for folder in folders]
    reports = [report_of(folder)["scores"] for folder in folders]
    facts: dict[str, Any] = {
        "parameters": parameter_count(load_model(folders[0] / "model")),
        "start": read_run_file(whole[0][0] / "config.yaml").start,
        "steps": sum(trained(folder)["steps"] for folder in whole[0]),
        "train_seconds": round(float(np.mean([sum(trained(one)["seconds"] for one in runs) for runs in whole])), 1),
        "mean": {name: round(float(np.mean([one[name]["value"] for one in reports])), 4) for name in SCORES},
        "f1_by_seed": [round(one["f1"]["value"], 4) for one in reports],
        "map_by_seed": [{key: round(value, 4) for key, value in one["map"].items()} for one in reports],
    }
    if folders != baseline:
        facts |= gains(folders, baseline)
        base = [report_of(folder)["scores"]["map"]["value"] for folder in baseline]
        facts["gain_by_seed"] = [round(one["map"]["value"] - b, 4) for one, b in zip(reports, base, strict=True)]
    return facts


def teacher_facts(folder: Path) -> dict[str, Any]:
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


def pretraining(family: Family, earlier: Path) -> dict[str, Any]:
    """What teacher and students start from: pages seen, seconds, and mAP on corpus pages set aside.

    earlier  the family's result, which knows of starts that are shipped and were not made here.
    """
    folders = {name: family.runs / name for name in family.starts}
    if not all((folder / "run.json").is_file() for folder in folders.values()):
        return dict(json.loads(earlier.read_text())["pretraining"])
    found = {name: trained(folder) for name, folder in folders.items()}
    return {
        name: {key: one[key] for key in ("parameters", "steps", "seconds", "validation_map")}  # steps of its own
        for name, one in found.items()
    }


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", default="d-fine", choices=FAMILIES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--arms", nargs="+", help="default: all of the family")
    parser.add_argument(
        "--longer", type=float, default=1.0, help="times the epochs of every arm, for runs of their own"
    )
    parser.add_argument("--workers", type=int, default=2, help="runs side by side")
    parser.add_argument("--runs", type=Path, help="folder of the arms' runs; default: the family's")
    parser.add_argument("--name", help="of the result file; default: the family's")
    parser.add_argument("--summary", action="store_true", help="only summarise what is there")
    found = parser.parse_args()
    if found.longer != 1 and not (found.runs and found.name):
        parser.error("--longer makes other runs; give them a folder with --runs and a result with --name")
    known = FAMILIES[found.family].arms
    found.arms = list(dict.fromkeys([BASELINE, *(found.arms or known)]))
    if strange := sorted(set(found.arms) - set(known)):
        parser.error(f"--arms: {', '.join(strange)} is none of {', '.join(known)}")
    return found


def main() -> None:
    asked = options()
    os.chdir(ROOT)
    family = FAMILIES[asked.family]
    runs = asked.runs or family.runs
    if not asked.summary:
        run_all(family, runs, asked)
    folders = {arm: [folder_of(runs, arm, seed) for seed in asked.seeds] for arm in asked.arms}
    facts = {
        "before": family.before,
        "pages": "poleval: 198 of 14 documents to learn from, a tenth of them set aside for thresholds; 300 without "
        "labels; 51 `val` pages read once",
        "pretraining": pretraining(family, RESULTS / f"{RESULT_OF[asked.family]}.json"),
        "teacher": teacher_facts(family.runs / "teacher"),
        "other_teachers": {name: teacher_facts(family.runs / name) for name in OTHERS if is_done(family.runs / name)},
        "arms": {
            arm: arm_facts(one, folders[BASELINE], earlier_runs(family, arm, asked.seeds, runs))
            for arm, one in folders.items()
            if all(is_done(run) for run in one)
        },
    }
    name = asked.name or RESULT_OF[asked.family]
    print(write_result(name, facts, seeds=asked.seeds, software=["torch", "transformers", "numpy"]))


if __name__ == "__main__":
    main()
