"""Tiny students and teachers, CNN and ViT, for tests of methods."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch

from distildoc.core.batch import Batch, Key
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.models.build import build_model
from distildoc.tasks.classification import classification

LABELS = ("letter", "form", "invoice", "memo", "table")
SIZE = (32, 32)
MODELS: dict[str, dict[str, object]] = {
    "student cnn": {"name": "cnn-micro", "seed": 0},
    "student vit": {"name": "vit-micro", "seed": 0, "width": 24, "depth": 2, "heads": 2, "patch": 8},
    "teacher cnn": {"name": "cnn-micro", "seed": 1, "widths": (16, 32, 64)},
    "teacher vit": {"name": "vit-micro", "seed": 1, "width": 32, "depth": 4, "heads": 2, "patch": 8},
}


@pytest.fixture(scope="session")
def built() -> dict[str, Model]:
    return {key: build_model(labels=LABELS, size=SIZE, channels=1, **settings) for key, settings in MODELS.items()}


@pytest.fixture
def pair_of(built: dict[str, Model]) -> Callable[..., Pair]:
    """pair_of("cnn", "vit"): fresh copies of a CNN student and a ViT teacher; "none" for no teacher."""

    def make(student: str = "cnn", teacher: str = "cnn") -> Pair:
        other = None if teacher == "none" else deepcopy(built[f"teacher {teacher}"]).eval()
        return Pair(deepcopy(built[f"student {student}"]), other, classification(LABELS), SIZE)

    return make


@pytest.fixture
def batch() -> Batch:
    """Six pages of noise, the last without a label."""
    pixels = torch.rand(6, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    label = torch.tensor([0, 1, 2, 3, 4, -1])
    return Batch(pixels, {"label": label}, tuple(Key(f"page{i}", 0) for i in range(6)))
