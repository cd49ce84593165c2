"""Instances of a page as queries, and a decoder that finds what a pyramid knows of each (ICD, arXiv:2110.12724).

A query is the class, a rough centre and a rough size of a region, real or made up. The decoder is one layer of
cross-attention over the cells of all levels, without attention between queries: each stands for itself.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.batch import Key
from distildoc.losses.precision import full

JITTER = 0.3  # of the box's size, how far a rough centre lies from the true one at most; keeps it inside the box
MOST = 300  # queries a page
SCALES = 5  # rough sizes: below 1/16 of the page's side, below 1/8, 1/4, 1/2, and above
LEAST = 2e-3  # of the page's side: smallest made-up region
PERIODS = 10000.0  # longest wave of a position, as in transformers


@dataclass(frozen=True)
class Instances:
    """Real and made-up regions of some pages, padded.

    classes [B, N] int64; boxes [B, N, 4] and rough centres [B, N, 2] in shares of the page; which regions are real and
    which no padding, [B, N] bool.
    """

    classes: Tensor
    boxes_cxcywh: Tensor
    centres: Tensor
    real: Tensor
    present: Tensor


def drawn_instances(
    boxes_cxcywh: Tensor, classes: Tensor, known: Tensor, keys: Sequence[Key], *, step: int, fakes: float, labels: int
) -> Instances:
    """The regions of pages that are `known` [B], and `fakes` times as many made up, at least one a page.

    A made-up region has any class, any place, and the size of a region of its page. What is drawn for a page depends
    on its key and the step alone, so neither the order of pages nor a restart changes it.
    """
    rows = [
        _drawn(boxes[there >= 0].cpu(), there[there >= 0].cpu(), seed=_seed(key, step), fakes=fakes, labels=labels)
        if page
        else _nobody()
        for boxes, there, page, key in zip(boxes_cxcywh, classes, known.tolist(), keys, strict=True)
    ]
    padded = [nn.utils.rnn.pad_sequence(list(column), batch_first=True) for column in zip(*rows, strict=True)]
    found = [column.to(boxes_cxcywh.device) for column in padded]
    return Instances(found[0], found[1], found[2], found[3], found[4])


class InstanceQueries(nn.Module):
    """Class, rough centre and rough size to a query [B, N, D], through three linear layers."""

    def __init__(self, labels: int, hidden: int) -> None:
        super().__init__()
        self.labels, self.hidden = labels, hidden
        self.layers = perceptron(labels + 2 * hidden + 2 * SCALES, hidden, hidden)

    def forward(self, instances: Instances) -> Tensor:
        sizes = instances.boxes_cxcywh[..., 2:].clamp(min=LEAST)
        scales = (sizes.log2().floor() + SCALES).clamp(0, SCALES - 1).long()
        parts = [
            functional.one_hot(instances.classes, self.labels),
            waves(instances.centres, self.hidden).flatten(2),
            functional.one_hot(scales, SCALES).flatten(2),
        ]
        found: Tensor = self.layers(torch.cat([part.to(sizes.dtype) for part in parts], -1))
        return found


class InstanceDecoder(nn.Module):
    """Cross-attention of queries [B, N, D] over cells [B, S, D]; the place of a cell counts in its key alone."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out, self.place = (nn.Linear(hidden, hidden) for _ in range(5))
        self.after_attention, self.after_layers = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.layers = nn.Sequential(nn.Linear(hidden, 4 * hidden), nn.ReLU(), nn.Linear(4 * hidden, hidden))

    def forward(self, queries: Tensor, cells: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(what is known of each query [B, N, D], attention [B, H, N, S] with sum 1, values [B, H, S, D / H])."""
        query = in_heads(self.query(queries), self.heads)
        key = in_heads(self.key(cells + self.place(places)), self.heads)
        attention = functional.softmax(full(query / math.sqrt(query.shape[-1]) @ key.mT), -1)
        values = in_heads(self.value(cells), self.heads)
        heard = self.out((attention.to(values.dtype) @ values).transpose(1, 2).flatten(2))
        found = self.after_attention(queries + heard)
        return self.after_layers(found + self.layers(found)), attention, values


def in_heads(tokens: Tensor, heads: int) -> Tensor:
    """[B, S, D] to [B, H, S, D / H]."""
    return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)


def perceptron(source: int, hidden: int, target: int) -> nn.Sequential:
    """Three linear layers with ReLU between."""
    return nn.Sequential(
        nn.Linear(source, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, target)
    )


def waves(positions: Tensor, count: int) -> Tensor:
    """[..., ] positions in shares of the page to [..., count] sines and cosines of one to many page lengths."""
    steps = torch.arange(count // 2, device=positions.device, dtype=torch.float32) * 2 / count
    angles = full(positions)[..., None] * 2 * math.pi / PERIODS**steps
    return torch.cat([angles.sin(), angles.cos()], -1)


def places_of(grids: Sequence[tuple[int, int]], hidden: int, device: torch.device) -> Tensor:
    """Waves of the centres of all cells of some (rows, columns), one after the other, [S, hidden]."""
    found = []
    for rows, columns in grids:
        down, across = ((torch.arange(n, device=device) + 0.5) / n for n in (rows, columns))
        centres = torch.cartesian_prod(down, across)
        found.append(waves(centres, hidden // 2).flatten(1))
    return torch.cat(found)


def _drawn(boxes: Tensor, classes: Tensor, *, seed: int, fakes: float, labels: int) -> tuple[Tensor, ...]:
    """The fields of Instances for one page."""
    generator = torch.Generator().manual_seed(seed)
    real = min(len(classes), MOST - 1)
    made_up = max(1, min(MOST - real, round(fakes * real)))
    kept = torch.randperm(len(classes), generator=generator)[:real]
    sizes = torch.full((made_up, 2), 0.2) * (1 + torch.randn(made_up, 2, generator=generator))
    if real:
        sizes = boxes[kept[torch.randint(real, (made_up,), generator=generator)], 2:]
    sizes = sizes.clamp(LEAST, 1)
    centres = sizes / 2 + torch.rand(made_up, 2, generator=generator) * (1 - sizes)
    together = torch.cat([boxes[kept], torch.cat([centres, sizes], 1).to(boxes.dtype)])
    jitter = (torch.rand(real + made_up, 2, generator=generator) * 2 - 1) * JITTER
    return (
        torch.cat([classes[kept], torch.randint(labels, (made_up,), generator=generator)]),
        together,
        together[:, :2] + jitter * together[:, 2:],
        torch.arange(real + made_up) < real,
        torch.ones(real + made_up, dtype=torch.bool),
    )


def _nobody() -> tuple[Tensor, ...]:
    """One padded place for a page of which nothing is known."""
    no = torch.zeros(1, dtype=torch.bool)
    return torch.zeros(1, dtype=torch.int64), torch.zeros(1, 4), torch.zeros(1, 2), no, no


def _seed(key: Key, step: int) -> int:
    text = f"{key.page}\n{key.augmentation}\n{step}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest())
