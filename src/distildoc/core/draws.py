"""Random numbers of a page that depend on nothing but a seed, the step, the page and its view."""

import hashlib

import torch
from torch import Tensor

from distildoc.core.batch import Batch, Key


def page_generator(key: Key, *, seed: int, step: int) -> torch.Generator:
    """On the CPU; the same whatever the order of pages, the process, or where a run went on."""
    text = f"{seed}\0{step}\0{key.augmentation}\0{key.page}".encode(errors="surrogateescape")
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def uniform_noise(batch: Batch, *, epsilon: float, seed: int, step: int) -> Tensor:
    """[B, 1, H, W], evenly in -epsilon..epsilon: one plane for all colours, so that grey pages stay grey."""
    size = (1, *batch.inputs.shape[2:])
    planes = [torch.rand(size, generator=page_generator(key, seed=seed, step=step)) for key in batch.keys]
    return epsilon * (2 * torch.stack(planes).to(batch.inputs) - 1)
