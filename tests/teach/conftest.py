"""Tiny models and pages held in memory, for tests of teachers."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
from PIL import Image

from distildoc.core.batch import Batch, Key
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.data.augment import Augmentation
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet
from distildoc.models.build import build_model
from distildoc.schema.pages import Page
from distildoc.schema.preprocess import Preprocess
from distildoc.tasks.classification import classification

LABELS = ("letter", "form", "invoice", "memo")
SIZE = (32, 32)


@pytest.fixture(scope="session")
def originals() -> dict[int, Model]:
    return {seed: build_model("cnn-micro", labels=LABELS, size=SIZE, channels=1, seed=seed) for seed in range(3)}


@pytest.fixture
def model_of(originals: dict[int, Model]) -> Callable[[int], Model]:
    """A fresh copy of a tiny CNN, by the seed of its weights."""
    return lambda seed=0: deepcopy(originals[seed])


@pytest.fixture
def pair(model_of: Callable[[int], Model]) -> Pair:
    return Pair(model_of(0), model_of(1).eval(), classification(LABELS), SIZE)


@pytest.fixture
def batch() -> Batch:
    pixels = torch.rand(4, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    return Batch(pixels, {"label": torch.arange(4)}, tuple(Key(f"page{i}", 0) for i in range(4)))


def page(number: int, salt: int = 0) -> Page:
    """A page of noise; another salt is another image under the same id."""
    pixels = np.random.default_rng([number, salt]).integers(0, 256, (40, 30), dtype=np.uint8)
    return Page(f"p/{number}", f"p/{number}", 1, lambda longest: Image.fromarray(pixels), LABELS[number % 4])


@pytest.fixture
def loader_of() -> Callable[..., Loader]:
    """loader_of(pages=10, augmentation=None, salt=0): batches of three, shuffled."""

    def make(pages: int = 10, augmentation: Augmentation | None = None, salt: int = 0, height: int = 32) -> Loader:
        pageset = PageSet(tuple(page(number, salt) for number in range(pages)), LABELS, "noise")
        return Loader(pageset, LABELS, Preprocess(height, 32), augmentation, batch=3, seed=0, drop_last=False)

    return make
