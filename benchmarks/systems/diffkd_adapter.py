"""What the layers of DiffKD reach without diffusion: an adapter of the same modules, trained by plain MSE.

    leave(p(enter(F_s), 0)) to z_t

enter, p and leave are those of a spot of methods/diffkd.py, with as many weights, and p is run once. The adapter is
trained from scratch on the features of a student that is done, for as many steps as the student was, on its batches and
with its optimiser; so it has a target that stands still, which DiffKD's own layers had not.
"""

from collections.abc import Iterator

import torch
from diffkd_features import Floats, Trained, distances
from torch import Tensor, nn

from distildoc.core.clock import Clock
from distildoc.losses.features import mse
from distildoc.methods.diffkd import Spot
from distildoc.models.diffusion import NoisePredictor, pointwise
from distildoc.train.optimisers import build_optimiser
from distildoc.train.schedules import learning_rate

NAME = "equal adapter"  # in the tables


class EqualAdapter(nn.Module):
    """The layers of a spot on maps, less those that make or match noise, for features of `source` channels."""

    def __init__(self, spot: Spot, source: int) -> None:
        super().__init__()
        width = spot.enter.out_channels
        self.enter = nn.Conv2d(source, width, 1)
        self.body = NoisePredictor(width, vector=False)
        self.leave = pointwise(width, width)

    def forward(self, feature: Tensor) -> Tensor:
        times = torch.zeros(len(feature), dtype=torch.long)
        told: Tensor = self.leave(self.body(self.enter(feature), times))
        return told


def adapted(run: Trained, like: Trained) -> dict[str, Floats]:
    """How far an adapter brings the features of a run from the teacher's code in the run `like`, of held-out pages."""
    adapter = fitted(run, like)
    with torch.no_grad():
        return distances(NAME, like.code(run.held.teacher), adapter(run.held.student))


def fitted(run: Trained, like: Trained) -> EqualAdapter:
    """An adapter from the student's features to the teacher's code in the run `like`."""
    settings, loader = run.config.train, run.parts.loader
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.config.seed)
        adapter = EqualAdapter(like.spot, run.spot.enter.in_channels)
    optimiser = build_optimiser(settings.optimiser, adapter, lr=settings.lr, weight_decay=settings.weight_decay)
    rate = learning_rate(settings.schedule, warmup=settings.warmup)
    steps = settings.epochs * len(loader)
    for step, (wanted, feature) in enumerate(batches(run)):
        for group in optimiser.param_groups:
            group["lr"] = group["base_lr"] * rate(Clock(step, steps, 0.0))
        optimiser.zero_grad()
        mse(like.code(wanted), adapter(feature)).mean().backward()
        if settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(adapter.parameters(), settings.clip_norm)
        optimiser.step()
    return adapter


def batches(run: Trained) -> Iterator[tuple[Tensor, Tensor]]:
    """Maps of teacher and student in the batches that the student was trained on."""
    views, loader = run.views, run.parts.loader
    rows = {key: row for row, key in enumerate(views.keys)}
    for epoch in range(run.config.train.epochs):
        for batch in loader.epoch(epoch):
            at = [rows[key] for key in batch.keys]
            yield views.teacher[at], views.student[at]
