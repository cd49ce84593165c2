"""One training step of every method beside vanilla KD: CPU time and memory, one thread, paired rounds.

    OMP_NUM_THREADS=1 python benchmarks/method_cost.py                (about 5 minutes)

Each method has a run of its own with a live teacher of 2.8 M weights and a student of 0.18 M on 16 pages of 64 x 64
pixels. `vam` and `gates` teach nothing alone and have `kd` as a second term; `gates` has a student of its own, and is
compared with `kd` of that student. `ces_kd` and `dgkd` have three live teachers, of 0.06, 0.18 and 2.8 M weights, of
which all look at every batch. The labels are what the teacher says, and `bss` moves all of its pages, which it
does late in a training. `time` is the CPU time of a step over that of `kd` in the same round, `memory` the most bytes
of tensors alive within a step beyond those before it, over the same of `kd`. Surveys before the first step are in
`survey_pages_per_s` alone. Methods of layouts alone are compared with `query_kd`, which teaches a detector's answers as
`kd` teaches a classifier's: a live D-FINE of 4.2 M weights, a student of 0.7 M, 8 pages of 128 x 128 pixels, `labels`
beside each method (cost_layouts.py). `roi_kd` is for two-stage detectors, where `query_kd` is not, and is compared with
`pseudo_labels` of these.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from typing import Any

import torch
from cost_layouts import SETTINGS as LAYOUT_SETTINGS
from cost_layouts import layout_pages, layout_pair, two_stage_pair
from measuring import in_ms, paired_rounds, ratio, write_result
from torch.profiler import ProfilerActivity, profile

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import constant
from distildoc.core.method import Surveys, Term
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.teacher import Teacher
from distildoc.methods import METHODS, method_module, tasks_of
from distildoc.models.build import build_model
from distildoc.tasks.classification import classification
from distildoc.teach.check import teacher_taps
from distildoc.teach.distiller import Distiller, adapted
from distildoc.teach.ensemble import Experts
from distildoc.teach.live import Live
from distildoc.teach.survey import survey
from distildoc.train.processes import make_accelerator
from distildoc.train.state import Horizon, Optimisation, begin
from distildoc.train.steps import StepLog, steps

BASELINE, LAYOUT_BASELINE = "kd", "query_kd"
STUDENTS = {"gates": "hme"}  # methods of a student of their own, beside `kd` of that student
TWO_STAGE_BASELINE = "pseudo_labels"
TWO_STAGE = ("roi_kd",)  # methods of two-stage detectors alone, beside the baseline of such a pair
OF_EXPERTS = ("ces_kd", "dgkd")  # methods of several teachers
TEACHERS = ("cnn-micro", "cnn-tiny", "cnn-small")  # of these; the last is that of the others
WITH_KD = ("vam", "gates")
SETTINGS = {"bss": {"base": "teacher"}}  # the usual ones move no page before the student knows it
SIDE, PAGES, SURVEYED = 64, 16, 64
LABELS = tuple(f"class {number}" for number in range(8))


def teacher_named(name: str) -> Model:
    return build_model(name, labels=LABELS, size=(SIDE, SIDE), seed=1).eval()


def pair(student: str) -> Pair:
    size = (SIDE, SIDE)
    model = build_model(student, labels=LABELS, size=size, seed=0)
    return Pair(model, teacher_named(TEACHERS[-1]), classification(LABELS), size)


def pages(count: int) -> Batch:
    pixels = torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    keys = tuple(Key(f"page {number}", 0) for number in range(count))
    return Batch(pixels, {"label": torch.arange(count) % len(LABELS)}, keys)


class Run:
    """Methods at work on two models: `step()` takes a step on the same pages again."""

    def __init__(self, names: Sequence[str], models: Pair, seen: Batch) -> None:
        torch.manual_seed(0)
        settings = {**SETTINGS, **LAYOUT_SETTINGS}
        terms = [Term(one, method_module(one).build(models, **settings.get(one, {})), constant(1.0)) for one in names]
        self.distiller = Distiller(adapted(models.student, terms), terms)
        needs = [term.method.needs for term in terms]
        outputs = any(one.teacher_outputs for one in needs)
        self.teacher: Teacher | Experts | None = None
        if models.experts > 1:
            self.teacher = Experts([Live(teacher_named(one)) for one in TEACHERS])
        elif any(one.teacher for one in needs):
            self.teacher = Live(models.require_teacher(names[0]), taps=teacher_taps(terms), outputs=outputs)
        self.survey_rate = self._survey() if isinstance(terms[0].method, Surveys) else None
        state = begin(self.distiller, make_accelerator("no", cpu=True), optimisation=Optimisation(lr=1e-4), seed=0)
        logs = steps(state, repeat(seen), self.teacher, horizon=Horizon(10**6, 1), clip_norm=1.0)
        self.step: Callable[[], StepLog] = lambda: next(logs)

    def _survey(self) -> float:
        """Pages a CPU second."""
        all_pages = pages(SURVEYED)

        def batches() -> Iterator[Batch]:
            return (all_pages.select(rows) for rows in torch.arange(SURVEYED).split(PAGES))

        began = time.process_time()
        survey(self.distiller, self.teacher, batches, count=SURVEYED)
        return SURVEYED / (time.process_time() - began)


def of_pages(name: str, student: str = "cnn-tiny") -> Run:
    """A method of classifiers; the labels are what the teacher says."""
    models, seen = pair(student), pages(PAGES)
    if name in OF_EXPERTS:
        models = replace(models, experts=len(TEACHERS))
    with torch.no_grad():
        seen.targets["label"][:] = models.require_teacher(name)(seen.inputs)["logits"].argmax(1)
    return Run((name, BASELINE) if name in WITH_KD else (name,), models, seen)


def of_layouts(name: str, pair_of: Callable[[], Pair] = layout_pair) -> Run:
    return Run((name, "supervised"), pair_of(), layout_pages())


def all_runs() -> dict[str, Run]:
    """By method, and the other runs that some are compared with."""
    tasks = {name: tasks_of(method_module(name)) for name in METHODS}
    runs = {name: of_pages(name, STUDENTS.get(name, "cnn-tiny")) for name in tasks if "classification" in tasks[name]}
    runs |= {baseline_of(name): of_pages(BASELINE, student) for name, student in STUDENTS.items()}
    runs |= {name: of_layouts(name, two_stage_pair) for name in TWO_STAGE}
    runs |= {baseline_of(name): of_layouts(TWO_STAGE_BASELINE, two_stage_pair) for name in TWO_STAGE}
    return runs | {name: of_layouts(name) for name in tasks if name not in runs}


def baseline_of(method: str) -> str:
    """The run that a method is compared with."""
    if method in TWO_STAGE:
        return f"{TWO_STAGE_BASELINE} of Faster R-CNNs"
    if "classification" not in tasks_of(method_module(method)):
        return LAYOUT_BASELINE
    return f"{BASELINE} of {STUDENTS[method]}" if method in STUDENTS else BASELINE


def peak_bytes(step: Callable[[], object]) -> int:
    """The most bytes of tensors alive within a call beyond those before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        step()
    assert found.profiler is not None and found.profiler.kineto_results is not None
    events = [event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"]
    alive = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        alive += event.nbytes()
        peak = max(peak, alive)
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = all_runs()
    for run in runs.values():
        run.step()
    peaks = {name: peak_bytes(run.step) for name, run in runs.items()}
    seconds = paired_rounds({name: run.step for name, run in runs.items()}, rounds=options.rounds, calls=2)
    facts: dict[str, Any] = {
        name: {
            "over": baseline_of(name),
            "time": ratio(seconds, name, baseline_of(name)),
            "step": in_ms(seconds[name]),
            "memory": round(peaks[name] / peaks[baseline_of(name)], 3),
            "peak_mb": round(peaks[name] / 2**20, 2),
            "survey_pages_per_s": None if run.survey_rate is None else round(run.survey_rate, 1),
        }
        for name, run in runs.items()
        if name in METHODS
    }
    setting = (
        f"{PAGES} pages of {SIDE} x {SIDE}; teacher cnn-small, live; student cnn-tiny; AdamW; one thread; layouts: "
    )
    setting += "8 pages of 128 x 128; teacher d-fine-mini, live; student d-fine-micro"
    print(write_result("method_cost", {"setting": setting, "methods": facts}, seeds=[0], software=["torch", "numpy"]))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
