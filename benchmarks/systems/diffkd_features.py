"""How far the student's features are from the teacher's code while DiffKD denoises them, on pages it has not seen.

Read at the end of training, with the modules of the run's last checkpoint. They use the statistics of the pages at
hand, as they use those of a batch in training. Codes have variance 1 a channel, so a squared error is about the share
that is not told.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock
from distildoc.core.draws import page_generator
from distildoc.data.loader import Loader
from distildoc.losses.diffusion import noised
from distildoc.losses.features import mse
from distildoc.methods.diffkd import DiffKD, Spot
from distildoc.recipes.build import parts_of
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import test_pages, training_pages
from distildoc.recipes.sizes import preprocess_of
from distildoc.train.stored import copy_into, module_tensors, read_tensors

PAGES = 256  # that go through the networks at once, to save memory
RIDGE = 1e-3  # of the linear map, in units of the mean variance of its inputs
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Maps(NamedTuple):
    """Features of some pages, as maps of one size."""

    keys: tuple[Key, ...]
    teacher: Tensor
    student: Tensor


class Trained:
    """A run at its end, with what was learned beside the student, and its maps of training and of test pages."""

    def __init__(self, folder: Path) -> None:
        config = RunFolder(folder).config()
        assert config.teacher is not None
        self.config = config.model_copy(update={"teacher": config.teacher.model_copy(update={"cache": None})})
        splits = training_pages(config.data)
        self.parts = parts_of(self.config, splits)
        tensors, _ = read_tensors(folder / "checkpoints" / "last.safetensors")
        mark = "distiller/"
        copy_into(
            module_tensors(self.parts.distiller),
            {name.removeprefix(mark): tensor for name, tensor in tensors.items() if name.startswith(mark)},
            where=str(folder),
        )
        method = next(term.method for term in self.parts.distiller.terms if isinstance(term.method, DiffKD))
        self.spot = next(spot for spot in method.spots if isinstance(spot, Spot) and spot.tap == "map")
        self.parts.distiller.student.eval()
        labels, preprocess = splits.train.labels, preprocess_of(config)
        self.seen, self.held = (
            self.maps(Loader(pages, labels, preprocess, batch=PAGES, seed=0, shuffle=False).once())
            for pages in (splits.train, test_pages(config.data, labels))
        )

    @torch.no_grad()
    def maps(self, batches: Iterable[Batch]) -> Maps:
        keys: list[Key] = []
        found: list[tuple[Tensor, Tensor]] = []
        assert self.parts.teacher is not None
        for batch in batches:
            student = self.parts.distiller.look(batch, None, Clock(0, 1, 0.0))[1]
            teacher = self.parts.teacher(batch)
            assert not isinstance(teacher, Sequence)
            found.append(self.spot.features(student, teacher))
            keys += batch.keys
        wanted, ours = (torch.cat(side) for side in zip(*found, strict=True))
        return Maps(tuple(keys), wanted, ours)

    @cached_property
    def views(self) -> Maps:
        """Of every view of the training pages, the student being done."""
        return self.maps(self.parts.loader.all_views())

    @torch.no_grad()
    def code(self, wanted: Tensor) -> Tensor:
        """The teacher's features as what the student's are compared with."""
        return wanted if self.spot.code is None else self.spot.code(wanted)[0]


@torch.no_grad()
def denoising(run: Trained) -> dict[str, Floats]:
    """By name, of every test page: squared error and cosine to the teacher's code on the way."""
    spot, code, feature = run.spot, run.code(run.held.teacher), run.held.student
    generators = [page_generator(key, seed=0, step=0) for key in run.held.keys]
    entered = spot.enter(feature)
    path = spot.path(entered, spot.noise(generators, code))
    stages = {"entered": entered, **{f"step {n}": x for n, x in enumerate(path, 1)}}
    stages |= {f"r of {name}": spot.leave(x) for name, x in list(stages.items())[:-1]} | {"ready": spot.leave(path[-1])}
    stages["linear"] = linear_map(run, feature)
    if spot.predictor is None:
        stages = {name: stages[name] for name in ("entered", "ready", "linear")}
    else:
        first = spot.shares[torch.full((len(code),), spot.times[0])]
        noisy = noised(code, spot.noise(generators, code), first)
        stages["teacher, noised"] = noisy / first.view(-1, 1, 1, 1).sqrt()
        adapter, spot.adapter = spot.adapter, None
        stages["teacher, denoised"] = spot.path(noisy, noisy)[-1]
        spot.adapter = adapter
        if adapter is not None:
            stages["share kept"] = adapter(entered)
    kept = stages.pop("share kept", None)
    found = {what: values for name, x in stages.items() for what, values in distances(name, code, x).items()}
    return found if kept is None else {**found, "share kept": kept.flatten().double().numpy()}


def distances(name: str, code: Tensor, other: Tensor) -> dict[str, Floats]:
    """Squared error and cosine of every page, over all its channels and places."""
    cosine = torch.cosine_similarity(code.flatten(1), other.flatten(1))
    return {f"{name}: error": mse(code, other).double().numpy(), f"{name}: cosine": cosine.double().numpy()}


def linear_map(run: Trained, feature: Tensor) -> Tensor:
    """The least-squares map, place by place, from student's features to the teacher's code, fitted on training pages.

    It is the best that the two convolutions around the denoising could do without it. As in their batch norm, the mean
    is that of the pages at hand.
    """
    x, y = (t.movedim(1, -1).flatten(0, -2).double() for t in (run.seen.student, run.code(run.seen.teacher)))
    x, y_mean = x - x.mean(0), y.mean(0)
    gram = x.T @ x
    weight = torch.linalg.solve(gram + RIDGE * gram.trace() / len(gram) * torch.eye(len(gram)), x.T @ (y - y_mean))
    held = feature.movedim(1, -1).double()
    told = (held - held.mean((0, 1, 2))) @ weight + y_mean
    return told.movedim(-1, 1).to(feature)
