"""The order of pages in an epoch, each process's share of it, and the scale of a batch: pure functions."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from distildoc.schema.errors import InputError


def epoch_order(count: int, *, seed: int, epoch: int, shuffle: bool) -> list[int]:
    """Page indices of an epoch; a function of (seed, epoch) alone."""
    if not shuffle:
        return list(range(count))
    order: list[int] = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return order


def step_scale(scales: Sequence[int], *, seed: int, epoch: int, step: int) -> int:
    """The scale of one batch of an epoch; the same in every process."""
    return scales[int(np.random.default_rng([seed, epoch, step, 1]).integers(len(scales)))]


def shares(count: int, *, batch: int, world: int, drop_last: bool) -> list[list[range]]:
    """Positions in the epoch's order, as batches[process][step].

    Each step takes the next `batch x world` positions and gives every process its part, so that together the
    processes see what one process with a batch that much larger sees. Without `drop_last` the rest is divided
    evenly; where it is too small for that, the last two steps are. All processes get the same number of batches.
    Raises InputError where not every process can have a page.

    >>> shares(10, batch=2, world=2, drop_last=False)
    [[range(0, 2), range(4, 6), range(8, 9)], [range(2, 4), range(6, 8), range(9, 10)]]
    """
    step = batch * world
    full, rest = divmod(count, step)
    tail = 0 if drop_last or rest == 0 else 1
    if tail and rest < world and full:
        full, rest, tail = full - 1, rest + step, 2
    if rest < tail * world:
        raise InputError(f"{count} pages in batches of {batch} cannot give each of {world} processes a page a step")
    starts = [full * step + position * rest // max(1, tail * world) for position in range(tail * world + 1)]
    tails = [range(first, last) for first, last in pairwise(starts)]
    return [
        [range(s * step + rank * batch, s * step + (rank + 1) * batch) for s in range(full)] + tails[rank::world]
        for rank in range(world)
    ]
