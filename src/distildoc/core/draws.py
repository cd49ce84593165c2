"""Random numbers of a page that depend on nothing but a seed, the step, the page and its view."""

import hashlib

import torch

from distildoc.core.batch import Key


def page_generator(key: Key, *, seed: int, step: int) -> torch.Generator:
    """On the CPU; the same whatever the order of pages, the process, or where a run went on."""
    text = f"{seed}\0{step}\0{key.augmentation}\0{key.page}".encode(errors="surrogateescape")
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
