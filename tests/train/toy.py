"""A distillation small enough to train in a blink, for the tests of training; as a script, a run that can be killed.

python toy.py FOLDER [--kill-at-write N] [--shared]
"""

import argparse
import math
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock
from distildoc.core.model import Model, Normalise, Places
from distildoc.core.view import View
from distildoc.train import stored
from distildoc.train.checkpoint import Checkpoints
from distildoc.train.fit import FitResult, Plan, fit
from distildoc.train.journal import Journal
from distildoc.train.processes import make_accelerator
from distildoc.train.records import Records
from distildoc.train.schedules import learning_rate
from distildoc.train.selection import Selection
from distildoc.train.state import Optimisation, TrainState, begin

LABELS = ("invoice", "letter", "memo")
SIZE = (8, 6)


def toy_student(*, dropout: float = 0.0, batch_norm: bool = False, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    body = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8) if batch_norm else nn.Identity(),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
    )
    places = Places(penultimate="body.4", map="body.2", stages=("body.2",))
    return Model(body, nn.Linear(32, 3), normalise=Normalise(), labels=LABELS, places=places, recipe={})


class ToyDistiller(nn.Module):
    """Cross-entropy, and soft labels through something learned, as a method with a projector has."""

    def __init__(self, student: Model) -> None:
        super().__init__()
        self.student = student
        self.projector = nn.Linear(3, 3)

    def forward(self, batch: Batch, teacher: View | None, clock: Clock) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits = self.student(batch.inputs)["logits"]
        losses = {"supervised": functional.cross_entropy(logits, batch.targets["label"])}
        if teacher is not None:
            losses["hint"] = functional.mse_loss(self.projector(logits), teacher.outputs["logits"])
        return sum(losses.values(), torch.zeros(())), losses


class ToyTeacher:
    fingerprint = "toy"
    labels = LABELS
    live = True

    def __init__(self) -> None:
        self.weight = torch.randn(3, 3, generator=torch.Generator().manual_seed(5)).requires_grad_()

    def __call__(self, batch: Batch) -> View:
        return View({"logits": batch.inputs.mean((2, 3)) @ self.weight})


class ToyLoader:
    """Pages as bright as their class; the order is a function of the epoch, and ranks get its rows in turn."""

    def __init__(self, *, pages: int = 22, batch: int = 4, rank: int = 0, world: int = 1) -> None:
        draw = torch.Generator().manual_seed(3)
        self.label = torch.randint(0, 3, (pages,), generator=draw)
        self.pixels = torch.rand(pages, 3, *SIZE, generator=draw) * 0.5 + self.label.view(-1, 1, 1, 1) * 0.25
        self.batch, self.rank, self.world = batch, rank, world
        self.given: list[tuple[str, ...]] = []

    def __len__(self) -> int:
        return math.ceil(len(self.label) / (self.batch * self.world))

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        order = torch.randperm(len(self.label), generator=torch.Generator().manual_seed(100 + number))
        for i in range(skip, len(self)):
            rows = order[i * self.batch * self.world : (i + 1) * self.batch * self.world][self.rank :: self.world]
            keys = tuple(Key(f"page-{row}", 0) for row in rows.tolist())
            self.given.append(tuple(key.page for key in keys))
            yield Batch(self.pixels[rows], {"label": self.label[rows]}, keys)


def accuracy(student: Model) -> float:
    loader = ToyLoader(pages=30)
    return float((student(loader.pixels)["logits"].argmax(1) == loader.label).float().mean())


def toy_state(*, lr: float = 0.05, ema: float | None = 0.9, optimiser: str = "adamw", **student: object) -> TrainState:
    accelerator = make_accelerator("no", cpu=True)
    torch.manual_seed(1)
    distiller = ToyDistiller(toy_student(**student))
    schedule = learning_rate("cosine", warmup=0.2)
    settings = Optimisation(optimiser, lr=lr, weight_decay=0.01, schedule=schedule, ema=ema)
    return begin(distiller, accelerator, optimisation=settings, seed=7)


def toy_fit(state: TrainState, folder: Path, *, loader: object = None, plan: Plan | None = None) -> FitResult:
    """3 epochs of 6 batches, 2 a step (9 steps), a checkpoint every 2 steps, everything switched on."""
    return fit(
        state,
        loader or ToyLoader(),
        ToyTeacher(),
        plan=plan or Plan(3, accumulate=2, clip_norm=1.0, selection=Selection(accuracy)),
        checkpoints=Checkpoints(folder, identity="toy", every_steps=2),
        journal=Journal(state.accelerator, records=Records(folder / "records.jsonl"), every=1),
    )


def _kill_at_write(number: int) -> None:
    """kill -9 this process between writing the temporary file and renaming it, at the n-th checkpoint."""
    flush, calls = stored._flush, [0]

    def counting(path: Path) -> None:
        calls[0] += path.suffix == ".partial"
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        flush(path)

    stored._flush = counting


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kill-at-write", type=int, default=0)
    parser.add_argument("--shared", action="store_true", help="take part in a run of several processes")
    options = parser.parse_args()
    if options.kill_at_write:
        _kill_at_write(options.kill_at_write)
    if options.shared:
        state = toy_state(optimiser="sgd", lr=0.02)
        rank, world = state.accelerator.process_index, state.accelerator.num_processes
        loader = ToyLoader(pages=23, batch=2, rank=rank, world=world)
        toy_fit(state, options.folder, loader=loader, plan=Plan(2, accumulate=2, clip_norm=1.0))
    else:
        toy_fit(toy_state(dropout=0.3, batch_norm=True), options.folder)


if __name__ == "__main__":
    main()
