"""One training step of ours against a hand-written loop of the same maths: CPU time, one thread, paired rounds.

    OMP_NUM_THREADS=1 python benchmarks/step_time.py                      (about 5 minutes on idle cores)

Three methods: soft labels with cross-entropy (kd), FitNet hint with cross-entropy (fitnet), SimKD with the CNN
projector (simkd). The hand-written loops do the least that the maths asks for: teacher under no_grad, plain hooks, one
fused AdamW, no logging, no check of anything. Ours is `train.steps` with a Distiller and a live teacher: it also looks
for losses and gradients that are not finite and takes the gradient's norm. Before timing, the losses of the first
steps must agree. `fitnet_stopped` is ours as a run uses it: the teacher's forward ends at the tapped layer.

`pair` is a teacher of 2.8 M parameters with a student of 0.17 M; `toy` is a net so small that a step is nearly all
overhead, which gives the overhead in microseconds.

The C library may hand memory back between steps and fault it in again, more in one loop than in another. `pair` and
`toy` are measured while it keeps its memory, `pair_default_allocator` as it does on its own; compare the two before
blaming it for a difference.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import torch
from measuring import in_ms, paired_rounds, ratio, write_result
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import constant
from distildoc.core.method import Term
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.methods import fitnet, kd, simkd, supervised
from distildoc.models.build import build_model
from distildoc.tasks.classification import classification
from distildoc.teach.check import teacher_taps
from distildoc.teach.distiller import Distiller, adapted
from distildoc.teach.live import Live
from distildoc.train.processes import make_accelerator
from distildoc.train.state import Horizon, Optimisation, begin
from distildoc.train.steps import steps

LABELS = tuple(f"class {number:02d}" for number in range(16))
LR = 1e-3
TEMPERATURE = 2.5
HINT_WEIGHT = 0.1
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "2000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}  # glibc, in bytes
AGREE = 1e-5  # relative, on the loss of a step
CHECKED = 3  # steps whose losses must agree

Step = Callable[[], Tensor]  # takes one step and returns its loss


@dataclass(frozen=True)
class Setting:
    """Networks, page side in pixels, pages a batch, and timed calls a round."""

    teacher: dict[str, Any]
    student: dict[str, Any]
    side: int
    batch: int
    calls: int
    rounds: int


SETTINGS = {
    "pair": Setting({"name": "cnn-small"}, {"name": "cnn-tiny"}, side=96, batch=16, calls=2, rounds=40),
    "toy": Setting(
        {"name": "cnn-micro", "widths": (8, 16), "depths": (1, 1), "embedding": 8},
        {"name": "cnn-micro", "widths": (4, 8), "depths": (1, 1), "embedding": 4},
        side=32,
        batch=2,
        calls=20,
        rounds=40,
    ),
}


def models(setting: Setting, seed: int) -> Pair:
    """Teacher and student with the weights of the seed, fresh each time."""
    size = (setting.side, setting.side)
    teacher = build_model(labels=LABELS, size=size, seed=seed, **setting.teacher).eval().requires_grad_(False)
    student = build_model(labels=LABELS, size=size, seed=seed + 1, **setting.student)
    return Pair(student, teacher, classification(LABELS), size)


def pages(setting: Setting, seed: int) -> Batch:
    """One batch of random pixels and classes."""
    drawn = torch.Generator().manual_seed(seed)
    pixels = torch.rand(setting.batch, 3, setting.side, setting.side, generator=drawn)
    labels = torch.randint(len(LABELS), (setting.batch,), generator=drawn)
    return Batch(pixels, {"label": labels}, tuple(Key(str(number), 0) for number in range(setting.batch)))


def terms_for(method: str, pair: Pair, seed: int) -> list[Term]:
    """The terms of a method; what they learn has the weights of the seed."""
    torch.manual_seed(seed)
    if method == "kd":
        built = {"supervised": supervised.build(pair), "kd": kd.build(pair, temperature=TEMPERATURE)}
        return [Term(name, term, constant(0.5)) for name, term in built.items()]
    if method == "fitnet":
        hint = Term("fitnet", fitnet.build(pair), constant(HINT_WEIGHT))
        return [Term("supervised", supervised.build(pair), constant(1.0)), hint]
    return [Term("simkd", simkd.build(pair), constant(1.0))]


def ours(method: str, setting: Setting, *, seed: int, stop_early: bool = False) -> Step:
    """`train.steps` on the same batch again and again."""
    pair, batch = models(setting, seed), pages(setting, seed)
    terms = terms_for(method, pair, seed)
    distiller = Distiller(adapted(pair.student, terms), terms)
    teacher = Live(pair.require_teacher(method), taps=teacher_taps(terms), outputs=not stop_early)
    state = begin(distiller, make_accelerator("no", cpu=True), optimisation=Optimisation(lr=LR), seed=seed)
    logs = steps(state, repeat(batch), teacher, horizon=Horizon(10**6, 1))
    return lambda: next(logs).total


def by_hand(method: str, setting: Setting, *, seed: int) -> Step:
    """The same maths, written out."""
    pair, batch = models(setting, seed), pages(setting, seed)
    terms = terms_for(method, pair, seed)
    student, teacher = adapted(pair.student, terms).train(), pair.require_teacher(method)
    learned = [term.method for term in terms if isinstance(term.method, nn.Module)]
    weights = [w for module in (student, *learned) for w in module.parameters() if w.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=LR, weight_decay=0.0, fused=True)
    pixels, label = batch.inputs, batch.targets["label"]
    if method == "kd":
        loss = kd_loss(student, teacher, pixels, label)
    elif method == "fitnet":
        loss = fitnet_loss(student, teacher, terms[1].method.regressor, pixels=pixels, label=label)  # type: ignore[attr-defined]
    else:
        loss = simkd_loss(student, teacher, pixels)

    def step() -> Tensor:
        value = next(loss)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        return value.detach()

    return step


def kd_loss(student: Model, teacher: Model, pixels: Tensor, label: Tensor) -> Iterator[Tensor]:
    while True:
        with torch.no_grad():
            wanted = teacher(pixels)["logits"]
        logits = student(pixels)["logits"]
        soft = functional.kl_div(
            functional.log_softmax(logits / TEMPERATURE, -1),
            functional.softmax(wanted / TEMPERATURE, -1),
            reduction="batchmean",
        )
        yield 0.5 * functional.cross_entropy(logits, label) + 0.5 * TEMPERATURE**2 * soft


def fitnet_loss(
    student: Model, teacher: Model, regressor: nn.Module, *, pixels: Tensor, label: Tensor
) -> Iterator[Tensor]:
    seen: dict[str, Tensor] = {}
    for name, model in (("student", student), ("teacher", teacher)):
        stages = model.places.stages
        middle = model.get_submodule(stages[max(0, round(0.5 * len(stages)) - 1)])
        middle.register_forward_hook(lambda module, args, output, name=name: seen.__setitem__(name, output))
    while True:
        with torch.no_grad():
            teacher(pixels)
        logits = student(pixels)["logits"]
        found, wanted = seen["student"], seen["teacher"]
        if found.shape[2:] != wanted.shape[2:]:
            side = min(found.shape[2], wanted.shape[2])
            found, wanted = (functional.adaptive_avg_pool2d(feature, side) for feature in (found, wanted))
        hint = functional.mse_loss(regressor(found), wanted)
        yield functional.cross_entropy(logits, label) + HINT_WEIGHT * hint


def simkd_loss(student: Model, teacher: Model, pixels: Tensor) -> Iterator[Tensor]:
    """Ours shifts the teacher's map so that its mean is what the head reads; so does this."""
    seen: dict[str, Tensor] = {}
    for tap in (teacher.places.map, teacher.places.penultimate):
        module = teacher.get_submodule(tap)
        module.register_forward_hook(lambda module, args, output, tap=tap: seen.__setitem__(tap, output))
    projected: list[Tensor] = []
    student.get_submodule("head.projector").register_forward_hook(lambda module, args, output: projected.append(output))
    while True:
        with torch.no_grad():
            teacher(pixels)
        student(pixels)
        last = seen[teacher.places.map]
        last = last[0] if not isinstance(last, Tensor) else last
        wanted = last + (seen[teacher.places.penultimate] - last.mean((2, 3)))[:, :, None, None]
        found = projected.pop()
        if found.shape[2:] != wanted.shape[2:]:
            side = min(found.shape[2], wanted.shape[2])
            found, wanted = (functional.adaptive_avg_pool2d(feature, side) for feature in (found, wanted))
        yield functional.mse_loss(found, wanted)


def compare(setting: Setting, *, seed: int, rounds: int) -> dict[str, Any]:
    """Agreement of the losses, then times and ratios of the three methods."""
    steppers: dict[str, Step] = {}
    agreement = {}
    for method in ("kd", "fitnet", "simkd"):
        steppers[f"{method}_ours"] = ours(method, setting, seed=seed)
        steppers[f"{method}_by_hand"] = by_hand(method, setting, seed=seed)
        agreement[method] = agree(steppers[f"{method}_ours"], steppers[f"{method}_by_hand"], method)
    steppers["fitnet_stopped"] = ours("fitnet", setting, seed=seed, stop_early=True)
    seconds = paired_rounds(steppers, rounds=rounds, calls=setting.calls, discard=max(1, setting.calls // 4), seed=seed)
    ratios = {m: ratio(seconds, f"{m}_ours", f"{m}_by_hand") for m in agreement}
    ratios["fitnet_stopped"] = ratio(seconds, "fitnet_stopped", "fitnet_by_hand")
    more = {m: 1e6 * (np.array(seconds[f"{m}_ours"]) - np.array(seconds[f"{m}_by_hand"])) for m in agreement}
    return {
        "setting": {**vars(setting), "rounds": rounds},
        "losses_of_first_steps": agreement,
        "ratio_ours_to_by_hand": ratios,
        "overhead_us": {method: round(float(np.median(values)), 1) for method, values in more.items()},
        "step_cpu": {name: in_ms(values) for name, values in seconds.items()},
    }


def agree(ours: Step, by_hand: Step, method: str) -> list[float]:
    """The first losses; raises RuntimeError where the two loops do not compute the same."""
    found = [float(ours()) for _ in range(CHECKED)]
    wanted = [float(by_hand()) for _ in range(CHECKED)]
    for number, (a, b) in enumerate(zip(found, wanted, strict=True), start=1):
        if abs(a - b) > AGREE * max(1.0, abs(b)):
            raise RuntimeError(f"{method}: loss of step {number} is {a} with ours and {b} by hand")
    return [round(value, 6) for value in found]


def in_process(setting: str, options: argparse.Namespace, *, environment: dict[str, str]) -> dict[str, Any]:
    """`compare` in a process of its own: the C library reads its settings when it starts."""
    command = [sys.executable, __file__, "--seed", str(options.seed), "--setting", setting]
    command += ["--rounds", str(options.rounds or SETTINGS[setting].rounds)]
    done = subprocess.run(command, env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="paired rounds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--setting", choices=list(SETTINGS), help=argparse.SUPPRESS)  # measures one and ends
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.setting:
        return print(json.dumps(compare(SETTINGS[options.setting], seed=options.seed, rounds=options.rounds)))
    facts = {
        "pair": in_process("pair", options, environment=KEEP_MEMORY),
        "toy": in_process("toy", options, environment=KEEP_MEMORY),
        "pair_default_allocator": in_process("pair", options, environment={}),
    }
    for name, found in facts.items():
        print(name, found["ratio_ours_to_by_hand"], found["step_cpu"])
    software = ("distildoc", "torch", "transformers", "accelerate")
    print(write_result("step_time", {"threads": 1, **facts}, seeds=[options.seed], software=software))


if __name__ == "__main__":
    main()
