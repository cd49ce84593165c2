"""Latency of a student's layout bundle beside RT-DETRv2-R50 of the same code, on onnxruntime at 640 px, in one run.

    OMP_WAIT_POLICY=passive python benchmarks/layout_latency.py --student RUN/bundle      (about 5 minutes)

Both are bundles that this code has exported, opened as `distildoc predict` opens them, and fed the same pixels, batch
1, with 1 and with 2 threads, in rounds whose order is drawn anew; a ratio is taken round by round. What is timed is the
graph (`run`) alone: reading and resizing a page costs the same for both. Without --student the student is a preset with
random weights; weights do not change the time. A bundle trained at another size is exported again at 640 px by giving
its model folder with --model. Wall time counts, because threads are the question; CPU time stands beside it.
"""

import argparse
import gc
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import in_ms, ratio, write_result

from distildoc.predict.layout import OnnxLayout, load_layout

SIDE = 640  # pixels
STUDENT, TEACHER = "d-fine-micro", "rtdetrv2-r50"
THREADS = (1, 2)
LABELS = (
    *("Caption", "Footnote", "Formula", "List-item", "Page-footer", "Page-header"),
    *("Picture", "Section-header", "Table", "Text", "Title"),
)


def make_bundle(folder: Path, name: str, seed: int) -> None:
    """Export a preset with random weights, or a model folder, for 640 px; in a process of its own for torch's sake."""
    from distildoc.core.model import Detector
    from distildoc.export.bundle import write_bundle
    from distildoc.models.detectors.build import build_detector
    from distildoc.models.load import load_model
    from distildoc.schema.preprocess import Preprocess

    saved = (Path(name) / "model.json").is_file()
    model = load_model(name) if saved else build_detector(name, labels=LABELS, size=(SIDE, SIDE), seed=seed)
    if not isinstance(model, Detector):
        raise SystemExit(f"{name} is no detector")
    write_bundle(folder, model.eval(), preprocess=Preprocess(SIDE, SIDE))


def exported(folder: Path, name: str, seed: int) -> Path:
    subprocess.run([sys.executable, __file__, "--make", str(folder), name, "--seed", str(seed)], check=True)
    return folder


def rounds_of(predictors: dict[str, OnnxLayout], *, rounds: int, seed: int) -> tuple[Any, Any]:
    """Wall and CPU seconds of one page, a value a round and predictor; each is timed after a run that is not."""
    generator = np.random.default_rng(seed)
    pixels, sizes = generator.random((1, 3, SIDE, SIDE), np.float32), np.array([[1240, 1754]], np.int64)
    shuffler = random.Random(seed)
    wall: dict[str, list[float]] = {name: [] for name in predictors}
    cpu: dict[str, list[float]] = {name: [] for name in predictors}
    for _ in range(rounds):
        for name in shuffler.sample(list(predictors), len(predictors)):
            predictors[name].run(pixels, sizes)
            gc.collect()
            began, used = time.perf_counter(), time.process_time()
            predictors[name].run(pixels, sizes)
            wall[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - used)
    return wall, cpu


def described(bundle: Path) -> dict[str, Any]:
    content = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    return {
        "parameters": int(content["cost"]["parameters"]),
        "megabytes": round((bundle / "model.onnx").stat().st_size / 1e6, 2),
        "input_px": [content["preprocess"]["height"], content["preprocess"]["width"]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", help="layout bundle at 640 px")
    parser.add_argument("--model", help="model folder of a run, or a preset, to export at 640 px", default=STUDENT)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)  # exports a bundle and ends
    options = parser.parse_args()
    if options.make:
        return make_bundle(Path(options.make[0]), options.make[1], options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        student = Path(options.student) if options.student else exported(work / "student", options.model, options.seed)
        teacher = exported(work / "teacher", TEACHER, options.seed)
        facts: dict[str, Any] = {
            "student": {"name": options.student or options.model, **described(student)},
            "beside": {"name": f"{TEACHER}, random weights", **described(teacher)},
            "batch": 1,
            "rounds": options.rounds,
        }
        if facts["student"]["input_px"] != [SIDE, SIDE]:
            raise SystemExit(
                f"{student} reads {facts['student']['input_px']} px, not {SIDE}: give its model with --model"
            )
        for threads in THREADS:
            predictors = {
                "student": load_layout(student, threads=threads),
                "beside": load_layout(teacher, threads=threads),
            }
            wall, cpu = rounds_of(predictors, rounds=options.rounds, seed=options.seed)
            facts[f"threads_{threads}"] = {
                "student_wall": in_ms(wall["student"]),
                "beside_wall": in_ms(wall["beside"]),
                "student_cpu": in_ms(cpu["student"]),
                "beside_cpu": in_ms(cpu["beside"]),
                "wall_ratio_beside_over_student": ratio(wall, "beside", "student"),
                "cpu_ratio_beside_over_student": ratio(cpu, "beside", "student"),
            }
            print(threads, facts[f"threads_{threads}"], flush=True)
    software = ("distildoc", "onnxruntime", "torch", "transformers", "numpy")
    print(write_result("layout_latency", facts, seeds=[options.seed], software=software))


if __name__ == "__main__":
    main()
