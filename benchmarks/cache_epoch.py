"""An epoch from a warm teacher cache against a supervised one, a live teacher, torchdistill and timm: CPU time, paired.

    OMP_NUM_THREADS=1 python benchmarks/cache_epoch.py                    (about 3 minutes)

Peers are optional: `pip install timm torchdistill` into an environment of its own (both want torchvision). What cannot
be imported is left out and named in the result. Two pairs of networks: `timm` (ResNet-18 teaches MobileNetV3-Small,
all variants), and `own` (our cnn-small teaches cnn-tiny, without timm's task, which takes timm networks only).

Every variant gets the same batches from one Loader whose pages and views are already in memory, the same initial
weights, fused AdamW and the same loss, 0.5 cross-entropy + 0.5 T^2 KL; the losses of the first step must agree. One
thread; every round runs an epoch of every variant in a new order; ratios are medians over the rounds.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import peers_shim
import torch
from measuring import Seconds, in_ms, paired_rounds, ratio, write_result
from PIL import Image
from torch import Tensor, nn

from distildoc.core.clock import constant
from distildoc.core.method import Term
from distildoc.core.model import Model, parameter_count
from distildoc.core.pair import Pair
from distildoc.core.teacher import Teacher
from distildoc.data.augment import Augmentation
from distildoc.data.loader import Loader
from distildoc.data.readers.folder import read
from distildoc.methods import kd, supervised
from distildoc.models.build import build_model
from distildoc.schema.preprocess import Preprocess
from distildoc.tasks.classification import classification
from distildoc.teach.cached import open_cache, write_cache
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live
from distildoc.train.processes import make_accelerator
from distildoc.train.state import Horizon, Optimisation, begin
from distildoc.train.steps import steps

CLASSES = 16
SIDE = 96  # pixels
VIEWS = 2
TEMPERATURE = 2.5
LR = 1e-4
AGREE = 1e-4  # relative, on the loss of the first step
PAIRS = {"timm": ("timm:resnet18", "timm:mobilenetv3_small_050"), "own": ("cnn-small", "cnn-tiny")}

Epoch = Callable[[], list[Tensor]]  # trains an epoch and returns the losses of its steps


@dataclass(frozen=True)
class Setup:
    """The networks with their initial weights, and what feeds them."""

    teacher: Model
    student: Model
    loader: Loader


def draw_pages(folder: Path, pages: int, seed: int) -> None:
    """Small grey pages of random lines, in class folders; what they show does not matter to the clock."""
    rng = np.random.default_rng(seed)
    for number in range(pages):
        page = np.full((160, 120), 255, np.uint8)
        for top in rng.integers(0, 155, size=20):
            page[top : top + 3, 10 : rng.integers(20, 110)] = rng.integers(0, 128)
        target = folder / f"class {number % CLASSES:02d}"
        target.mkdir(exist_ok=True)
        Image.fromarray(page).save(target / f"{number:04d}.png")


def setup(pair: str, folder: Path, *, batch: int, seed: int) -> Setup:
    """Networks of a pair and a loader over the pages, all of them and their views in memory."""
    pages = read(path=folder)
    preprocess, augmentation = Preprocess(SIDE, SIDE), Augmentation(views=VIEWS)
    loader = Loader(pages, pages.labels, preprocess, augmentation, batch=batch, seed=seed)
    for _ in loader.all_views():
        pass
    size = (SIDE, SIDE)
    teacher, student = (
        build_model(name, labels=pages.labels, size=size, seed=seed + number) for number, name in enumerate(PAIRS[pair])
    )
    return Setup(teacher.eval().requires_grad_(False), student, loader)


def ours(at: Setup, teacher: Teacher | None, *, seed: int) -> Epoch:
    """`train.steps`; without a teacher from labels alone."""
    student = deepcopy(at.student)
    pair = Pair(student, None, classification(student.labels), (SIDE, SIDE))
    terms = [Term("supervised", supervised.build(pair), constant(1.0))]
    if teacher is not None:
        terms = [
            Term("supervised", supervised.build(pair), constant(0.5)),
            Term("kd", kd.build(pair, temperature=TEMPERATURE), constant(0.5)),
        ]
    accelerator = make_accelerator("no", cpu=True)
    state = begin(Distiller(student, terms), accelerator, optimisation=Optimisation(lr=LR), seed=seed)
    horizon = Horizon(len(at.loader), 10**4)

    def epoch() -> list[Tensor]:
        losses = [log.total for log in steps(state, at.loader.epoch(state.epoch), teacher, horizon=horizon)]
        state.epoch, state.batch = state.epoch + 1, 0
        return losses

    return epoch


def with_torchdistill(at: Setup) -> Epoch:
    """Its DistillationBox, driven as its example scripts do, without their logging."""
    from torchdistill.core.distillation import get_distillation_box

    logging.getLogger("torchdistill").setLevel(logging.ERROR)
    loss = {
        f"{who}_module_{what}": {"path": ".", "io": "output"}[what]
        for who in ("student", "teacher")
        for what in ("path", "io")
    }
    term = {"key": "KDLoss", "kwargs": {**loss, "temperature": TEMPERATURE, "alpha": 0.5, "reduction": "batchmean"}}
    config = {
        "num_epochs": 1,
        "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
        "student": {"forward_proc": "forward_batch_only", "requires_grad": True},
        "optimizer": {"key": "AdamW", "kwargs": {"lr": LR, "weight_decay": 0.0, "fused": True}},
        "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": {"kd": {"criterion": term, "weight": 1.0}}}},
    }
    teacher, student = Logits(deepcopy(at.teacher)).eval(), Logits(deepcopy(at.student))
    device = torch.device("cpu")
    box = get_distillation_box(teacher, student, {}, config, device, [], False, 1)
    numbers = count()

    def epoch() -> list[Tensor]:
        number, losses = next(numbers), []
        box.pre_epoch_process(epoch=number)
        for batch in at.loader.epoch(number):
            loss = box.forward_process(batch.inputs, batch.targets["label"], {})
            box.post_forward_process(loss=loss)
            losses.append(loss.detach())
        box.post_epoch_process()
        return losses

    return epoch


class Logits(nn.Module):
    """A Model that gives its logits alone, as torchdistill wants them."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.model(pixels)["logits"]
        return logits


def with_timm(at: Setup) -> Epoch:
    """Its LogitDistillationTask, in the loop of its training script without scaler, logging and EMA."""
    from timm.task import LogitDistillationTask

    teacher, student = timm_network(at.teacher).eval().requires_grad_(False), timm_network(at.student)
    task = LogitDistillationTask(
        student, teacher, criterion=nn.CrossEntropyLoss(), task_loss_weight=0.5, temperature=TEMPERATURE, verbose=False
    )
    optimiser = torch.optim.AdamW(student.parameters(), lr=LR, weight_decay=0.0, fused=True)
    pixels = deepcopy(at.student.entry)
    numbers = count()
    student.train()

    def epoch() -> list[Tensor]:
        losses = []
        for batch in at.loader.epoch(next(numbers)):
            loss = task(pixels(batch.inputs), batch.targets["label"])["loss"]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.detach())
        return losses

    return epoch


def timm_network(model: Model) -> nn.Module:
    """The bare timm network of a Model, classifier included, with the same weights."""
    import timm

    name = str(model.recipe["name"])
    network: nn.Module = timm.create_model(name, num_classes=CLASSES)
    network.load_state_dict(model.body.get_submodule("network").state_dict(), strict=False)
    network.get_classifier().load_state_dict(model.head.state_dict())  # type: ignore[operator]
    return network


def peer_problems() -> dict[str, str]:
    """Peers that cannot be imported, with the reason."""
    peers_shim.install()
    problems = {}
    for peer, module in (("torchdistill", "torchdistill.core.distillation"), ("timm", "timm.task")):
        try:
            __import__(module)
        except (ImportError, RuntimeError) as error:
            problems[peer] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return problems


def compare(
    pair: str, *, folder: Path, absent: dict[str, str], rounds: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Epochs of one pair in all variants that can be had."""
    at = setup(pair, folder, batch=options.batch, seed=options.seed)
    live = Live(deepcopy(at.teacher))
    with tempfile.TemporaryDirectory() as temporary:
        began = time.process_time()
        store = write_cache(Path(temporary) / "cache", live, loader=at.loader)
        written = time.process_time() - began
        cached = open_cache(store.folder, live, loader=at.loader)
        variants = {
            "supervised": ours(at, None, seed=options.seed),
            "warm_cache": ours(at, cached, seed=options.seed),
            "live": ours(at, live, seed=options.seed),
        }
        if "torchdistill" not in absent:
            variants["torchdistill"] = with_torchdistill(at)
        if "timm" not in absent and pair == "timm":
            variants["timm_task"] = with_timm(at)
        losses = {name: epoch() for name, epoch in variants.items()}  # also warms up
        check(losses)
        seconds = paired_rounds(variants, rounds=rounds, discard=0, seed=options.seed)
    return {
        "teacher": {"name": PAIRS[pair][0], "parameters": parameter_count(at.teacher)},
        "student": {"name": PAIRS[pair][1], "parameters": parameter_count(at.student)},
        "pages": len(at.loader.pages),
        "batch": options.batch,
        "batches_an_epoch": len(at.loader),
        "side_px": SIDE,
        "views": VIEWS,
        "rounds": rounds,
        "loss_of_first_step": {name: round(float(values[0]), 6) for name, values in losses.items()},
        "mean_loss_of_first_epoch": {
            name: round(float(torch.stack(values).mean()), 6) for name, values in losses.items()
        },
        **ratios(seconds),
        "cache": {
            "write_cpu_s": round(written, 3),
            "write_in_live_epochs": round(written / float(np.median(seconds["live"])), 2),
        },
        "epoch_cpu": {name: in_ms(values) for name, values in seconds.items()},
    }


def check(losses: dict[str, list[Tensor]]) -> None:
    """Raises RuntimeError where a variant does not compute the loss of the others."""
    wanted = float(losses["live"][0])
    for name, values in losses.items():
        if name != "supervised" and abs(float(values[0]) - wanted) > AGREE * abs(wanted):
            raise RuntimeError(f"{name}: the loss of the first step is {float(values[0])}, with ours it is {wanted}")


def ratios(seconds: Seconds) -> dict[str, dict[str, dict[str, float]]]:
    """The warm cache against everything else, and the live teacher against the peers."""
    peers = [name for name in ("torchdistill", "timm_task") if name in seconds]
    return {
        "warm_cache_to": {name: ratio(seconds, "warm_cache", name) for name in ("supervised", "live", *peers)},
        "live_to": {name: ratio(seconds, "live", name) for name in peers},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    absent = peer_problems()
    facts: dict[str, Any] = {"threads": 1, "absent_peers": absent, "pairs": {}}
    with tempfile.TemporaryDirectory() as folder:
        draw_pages(Path(folder), options.pages, options.seed)
        for pair in PAIRS:
            if pair == "timm" and "timm" in absent:
                continue
            found = compare(pair, folder=Path(folder), absent=absent, rounds=options.rounds, options=options)
            facts["pairs"][pair] = found
            print(pair, found["warm_cache_to"], found["live_to"], found["epoch_cpu"], flush=True)
    software = ("distildoc", "torch", "transformers", "accelerate", "timm", "torchdistill", "torchvision")
    print(write_result("cache_epoch", facts, seeds=[options.seed], software=software))


if __name__ == "__main__":
    main()
