"""A small model, pages made in memory, and predictors whose answers are known."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from distildoc.core.model import Model, Normalise, Places
from distildoc.evaluate import PageTable
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Classification

LABELS = ("letter", "memo", "form")


def make_page(number: int, label: str | None = None, *, broken: bool = False) -> Page:
    """A grey page whose brightness is its number."""

    def load(longest_px: int | None) -> Image.Image:
        if broken:
            raise InputError(f"page{number}.png: cannot read the image (cut short)")
        return Image.new("L", (10, 14), color=number % 256)

    return Page(f"page{number}", f"page{number}.png", 1, load, label)


class Said:
    """A predictor that answers from a table of probabilities by page id; None is a page it cannot read."""

    def __init__(self, answers: Mapping[str, list[float] | None], labels: tuple[str, ...] = LABELS) -> None:
        self.answers, self.labels = answers, labels

    def __call__(self, pages: Iterable[Page]) -> Iterator[Classification | FailedPage]:
        for page in pages:
            answer = self.answers[page.id]
            if answer is None:
                yield FailedPage(page.id, page.source, page.number, "cut short")
            else:
                yield Classification(page, self.labels, np.array(answer, np.float32))


@pytest.fixture
def page():
    return make_page


@pytest.fixture
def said():
    return Said


@pytest.fixture
def model() -> Model:
    """Grey, 8 x 6 pixels: 48 weights and 3 biases, and a batch norm that tells train from eval mode."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Dropout(0.5))
    return Model(
        body,
        nn.Linear(48, 3),
        normalise=Normalise((0.5,), (0.5,)),
        labels=LABELS,
        places=Places("body", "body", ("body.0",)),
        recipe={},
    )


@pytest.fixture
def table() -> PageTable:
    """60 pages of 3 classes, about two in three right, from a formula."""
    i, j = np.arange(60)[:, None], np.arange(3)[None, :]
    targets = np.arange(60) % 3
    logits = 2.0 * np.sin(1.7 * i + 2.3 * j + 0.13 * i * j)
    logits[np.arange(60), targets] += 1.5
    weights = np.exp(logits)
    probabilities = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return PageTable(tuple(f"page{n}" for n in range(60)), LABELS, targets, probabilities)
