"""Classifiers under attack: which pages are still named right when somebody moves the pixels.

Attacks see the model in evaluation mode. A page counts as right only where the model is right on the page itself and on
the attacked pixels of every restart. Intervals are the exact ones of a share (Clopper and Pearson 1934).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from scipy import stats
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.draws import uniform_noise
from distildoc.core.model import Model, evaluating
from distildoc.losses.attacks import PageLoss, clipped, cross_entropy, fgsm, pgd
from distildoc.schema.errors import InputError
from distildoc.schema.report import Score


@dataclass(frozen=True)
class Attack:
    """name   in the result, as in fgsm or pgd-20.
    epsilon   largest change of a pixel, in units of 0..1.
    steps     of size 2 epsilon / steps from a random start; 0: one step of size epsilon from the page (FGSM).
    restarts  random starts of which each page gets the worst.
    seed      of the starts.
    source    the model whose gradients are followed; None: the one that is attacked.
    """

    name: str
    epsilon: float
    steps: int
    restarts: int = 1
    seed: int = 0
    source: Model | None = None


def right(model: Model, batches: Iterable[Batch]) -> Tensor:
    """Whether the model names each page right, [N] bool."""
    with evaluating(model):
        return torch.cat([_right(model, batch.inputs, batch) for batch in batches])


def withstood(model: Model, batches: Iterable[Batch], attack: Attack) -> Tensor:
    """Whether it names each page right as it is and attacked, [N] bool.

    Raises InputError for a source of other classes.
    """
    source = model if attack.source is None else attack.source
    columns = _columns(model.labels, source.labels)
    found = []
    with evaluating(model), evaluating(source):
        for batch in batches:
            held = _right(model, batch.inputs, batch)
            loss = _loss_of(source, columns[batch.targets["label"]])
            for moved in _attempts(loss, batch, attack):
                held &= _right(model, moved, batch)
            found.append(held)
    return torch.cat(found)


def share(hits: Tensor, *, confidence: float = 0.95) -> Score:
    """Share of True in [N] with its exact (Clopper-Pearson) interval."""
    count, total = int(hits.sum()), len(hits)
    interval = stats.binomtest(count, total).proportion_ci(confidence, method="exact")
    return Score(count / total, float(interval.low), float(interval.high))


def _attempts(loss: PageLoss, batch: Batch, attack: Attack) -> Iterator[Tensor]:
    if attack.steps == 0:
        yield fgsm(loss, batch.inputs, epsilon=attack.epsilon)
        return
    step = 2 * attack.epsilon / attack.steps
    for number in range(attack.restarts):
        noise = uniform_noise(batch, epsilon=attack.epsilon, seed=attack.seed, step=number)
        start = clipped(batch.inputs + noise, batch.inputs, epsilon=attack.epsilon)
        yield pgd(loss, batch.inputs, epsilon=attack.epsilon, steps=attack.steps, step=step, start=start)


def _loss_of(model: Model, label: Tensor) -> PageLoss:
    return partial(_cross_entropy, model, label)


def _cross_entropy(model: Model, label: Tensor, pixels: Tensor) -> Tensor:
    return cross_entropy(model(pixels)["logits"], label)


def _right(model: Model, pixels: Tensor, batch: Batch) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(pixels)["logits"].argmax(-1) == batch.targets["label"]
    return found


def _columns(wanted: tuple[str, ...], given: tuple[str, ...]) -> Tensor:
    """Where each class of the attacked model stands in the source."""
    if set(wanted) != set(given):
        raise InputError(f"the source of an attack has the classes {list(given)}, the attacked model {list(wanted)}")
    return torch.tensor([given.index(name) for name in wanted])
