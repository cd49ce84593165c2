"""Small pages of three classes, and runs on them that take a second or two."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.layers import overlay
from distildoc.recipes.settings import validated

CLASSES = ("form", "letter", "memo")
TRAIN, TEST = 14, 6  # pages a class
TEACHER = {"name": "cnn-micro", "widths": [8, 16], "depths": [1, 1], "embedding": 8}
STUDENT = {"name": "cnn-micro", "widths": [4, 8], "depths": [1, 1], "embedding": 4}
ConfigOf = Callable[..., RunConfig]


def draw_page(label: str, number: int) -> Image.Image:
    """A form is a grid, a letter has lines of text, a memo has a black head; noise tells the pages of a class apart."""
    noise = np.random.default_rng([CLASSES.index(label), number]).integers(190, 256, (64, 48), dtype=np.uint8)
    page = Image.fromarray(noise)
    pen = ImageDraw.Draw(page)
    if label == "form":
        pen.rectangle((6, 6, 41, 57), outline=0)
        for x in range(6, 42, 7):
            pen.line((x, 6, x, 57), fill=0)
    elif label == "letter":
        for y in range(8 + number % 4, 58, 5):
            pen.line((6, y, 41, y), fill=40)
    else:
        pen.rectangle((4, 4, 43, 14 + number % 8), fill=0)
    return page


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FOLDER/{train,test}/CLASS/NN.png."""
    folder = tmp_path_factory.mktemp("pages")
    for split, first, count in (("train", 0, TRAIN), ("test", 100, TEST)):
        for label in CLASSES:
            (folder / split / label).mkdir(parents=True)
            for number in range(first, first + count):
                draw_page(label, number).save(folder / split / label / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="session")
def config_of(pages: Path) -> ConfigOf:
    """config_of(train={"epochs": 3}): the tiny student's run with some keys replaced."""
    base: dict[str, Any] = {
        "name": "tiny",
        "data": {
            "train": {"kind": "folder", "path": str(pages / "train")},
            "validation": {"hold_out": 0.2},
            "test": {"kind": "folder", "path": str(pages / "test")},
        },
        "input": {"height": 32, "width": 32, "grey": True},
        "model": STUDENT,
        "train": {"epochs": 2, "batch": 8, "lr": 0.01, "threads": 1},
    }

    def make(**changes: Any) -> RunConfig:
        content: Mapping[str, Any] = overlay(base, changes)
        return validated(RunConfig, content, "test")

    return make


@pytest.fixture(scope="session")
def teacher(config_of: ConfigOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the larger network."""
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    stages.train(config_of(name="teacher", model=TEACHER, train={"epochs": 4}), folder)
    return folder
