"""Draws: random numbers that depend on the page and the step, not on the order of pages or the number of processes."""

import hashlib

import torch
from torch import Tensor

from distildoc.core.batch import Batch, Key


def generator_of(seed: int, key: Key, step: int) -> torch.Generator:
    """The generator of a page's version at a step."""
    text = f"{seed}\0{step}\0{key.augmentation}\0{key.page}".encode(errors="surrogateescape")
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def uniform_noise(batch: Batch, *, epsilon: float, seed: int, step: int) -> Tensor:
    """[B, 1, H, W], evenly in -epsilon..epsilon: one plane for all colours, so that grey pages stay grey."""
    size = (1, *batch.pixels.shape[2:])
    planes = [torch.rand(size, generator=generator_of(seed, key, step)) for key in batch.keys]
    return epsilon * (2 * torch.stack(planes).to(batch.pixels) - 1)
