"""steps: the training loop as a generator; when to validate, save or stop is its caller's business.

A step takes the gradient of the mean loss over all its pages, however they are spread over batches and processes:
    sum_i n_i L_i / sum_i n_i,   L_i the loss of batch i and n_i its pages.
"""

import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.teacher import Teacher
from distildoc.teach.ensemble import Experts
from distildoc.train.finite import Part
from distildoc.train.state import Horizon, TrainState


@dataclass(frozen=True)
class StepLog:
    """One optimiser step, of this process; tensors stay on the device until somebody reads them.

    step       number of the step, from 1.
    epoch      where the step began, fractional, from 0.
    losses     by name, unweighted, mean over the step's pages; `total` is the weighted sum that was trained on.
    lr         learning rate of the step.
    grad_norm  Euclidean norm of the whole gradient, before clipping.
    seconds    wall time, waiting for pages included; on an accelerator only their sum over many steps means something.
    """

    step: int
    epoch: float
    losses: Mapping[str, Tensor]
    total: Tensor
    lr: float
    grad_norm: Tensor
    pages: int
    seconds: float


def steps(
    state: TrainState,
    batches: Iterable[Batch],
    teacher: Teacher | Experts | None,
    *,
    horizon: Horizon,
    clip_norm: float | None = None,
) -> Generator[StepLog, None, None]:
    """Train on the batches, `horizon.accumulate` a step, and move `state` on after each.

    The teacher runs without gradients, in the precision of the run and outside the distiller; None where labels do.
    Raises NonFiniteLoss: on a CPU before the weights are touched, elsewhere a few steps later.
    """
    state.distiller.train()
    feed = iter(batches)
    while True:
        began = time.perf_counter()
        group = list(islice(feed, horizon.accumulate))
        if not group:
            break
        clock = state.clock(horizon)
        lr = _set_lr(state, clock)
        parts = _gradient(state, group, teacher, clock=clock)
        norm = _move_weights(state, parts, clip_norm=clip_norm)
        state.step += 1
        state.batch += len(group)
        losses, total = _mean(parts)
        seconds = time.perf_counter() - began
        state.seconds += seconds
        pages = sum(len(batch) for batch in group)
        yield StepLog(state.step, clock.epoch, losses, total, lr, norm, pages, seconds)
    state.watch.settle()


def _set_lr(state: TrainState, clock: Clock) -> float:
    factor = state.schedule(clock)
    for group in state.optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor
    return float(state.optimiser.param_groups[0]["lr"])


def _gradient(
    state: TrainState, group: Sequence[Batch], teacher: Teacher | Experts | None, *, clock: Clock
) -> list[Part]:
    """Add up the gradient of a step's batches; processes exchange it once, at the last batch."""
    accelerator = state.accelerator
    shares = _shares(state, group)
    parts = []
    for i, pages in enumerate(group):
        batch = pages.to(accelerator.device)
        view = None
        if teacher is not None:
            with torch.no_grad(), accelerator.autocast():
                view = teacher(batch)
        with nullcontext() if i == len(group) - 1 else accelerator.no_sync(state.module):
            total, losses = state.module(batch, view, clock)
            accelerator.backward(total * shares[i])
        parts.append(Part({name: loss.detach() for name, loss in losses.items()}, total.detach(), batch.keys))
    return parts


def _shares(state: TrainState, group: Sequence[Batch]) -> list[float | Tensor]:
    """Weight of each batch's mean loss in the step's.

    Processes average their gradients, hence the factor of their number.
    """
    accelerator = state.accelerator
    pages = sum(len(batch) for batch in group)
    if accelerator.num_processes == 1:
        return [len(batch) / pages for batch in group]
    everywhere = accelerator.reduce(torch.tensor(float(pages), device=accelerator.device), reduction="sum")
    return [len(batch) * accelerator.num_processes / everywhere for batch in group]


def _move_weights(state: TrainState, parts: Sequence[Part], *, clip_norm: float | None) -> Tensor:
    """Look at the losses, clip, let the optimiser and the EMA step; the norm of the gradient before clipping."""
    scaler = state.accelerator.scaler
    if scaler is not None:
        scaler.unscale_(state.optimiser)
    weights = [weight for group in state.optimiser.param_groups for weight in group["params"]]
    norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    # fp16: an infinite gradient only means that this step is left out and the scale lowered
    state.watch.look(state.step + 1, parts, norm if scaler is None else None)
    if clip_norm is not None:
        nn.utils.clip_grads_with_norm_(weights, clip_norm, norm)
    if scaler is None:
        state.optimiser.step()
    else:
        scaler.step(state.optimiser)
        scaler.update()
    state.optimiser.zero_grad()
    if state.ema is not None:
        state.ema.update(state.step)
    return norm


def _mean(parts: Sequence[Part]) -> tuple[dict[str, Tensor], Tensor]:
    """Losses of a step, weighed by pages; a term that only some batches have counts over those."""
    if len(parts) == 1:
        return dict(parts[0].losses), parts[0].total
    names = dict.fromkeys(name for part in parts for name in part.losses)
    losses = {}
    for name in names:
        having = [part for part in parts if name in part.losses]
        pages = sum(len(part.keys) for part in having)
        losses[name] = torch.stack([part.losses[name] * (len(part.keys) / pages) for part in having]).sum()
    pages = sum(len(part.keys) for part in parts)
    return losses, torch.stack([part.total * (len(part.keys) / pages) for part in parts]).sum()
