"""Tiny students and teachers for tests of methods: classifiers (CNN and ViT) and detectors (D-FINE, RT-DETR, R-CNN)."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache

import pytest
import torch

from distildoc.core.batch import PSEUDO, TRUE, UNKNOWN, Batch, Key
from distildoc.core.model import Detector, Model
from distildoc.core.pair import Pair
from distildoc.models.build import build_model
from distildoc.models.detectors.build import build_detector
from distildoc.tasks.classification import classification
from distildoc.tasks.detection import detection

LABELS = ("letter", "form", "invoice", "memo", "table")
SIZE = (32, 32)
MODELS: dict[str, dict[str, object]] = {
    "student cnn": {"name": "cnn-micro", "seed": 0},
    "student vit": {"name": "vit-micro", "seed": 0, "width": 24, "depth": 2, "heads": 2, "patch": 8},
    "student hme": {"name": "hme", "seed": 0, "inner": 4, "outer": 4, "hidden": 8},
    "teacher cnn": {"name": "cnn-micro", "seed": 1, "widths": (16, 32, 64)},
    "teacher vit": {"name": "vit-micro", "seed": 1, "width": 32, "depth": 4, "heads": 2, "patch": 8},
}

REGIONS = ("Text", "Title", "Table", "Picture")
LAYOUT_SIZE = (64, 64)
TINY = {"width": 32, "heads": 2, "feedforward": 32, "decoder_layers": 2, "queries": 12, "denoising": 8}
D_FINE = {**TINY, "stem": (8, 8), "inner": (4, 8, 8, 16), "widths": (16, 16, 32, 32), "convolutions": 1}
DETECTORS: dict[str, dict[str, object]] = {
    "student d-fine": {"name": "d-fine-micro", "seed": 0, **D_FINE, "points": (2, 2, 2)},
    "teacher d-fine": {"name": "d-fine-micro", "seed": 1, **D_FINE, "points": (2, 2, 2), "width": 48, "queries": 16},
    "student d-fine-2": {"name": "d-fine-micro", "seed": 0, **D_FINE, "points": (2, 2), "strides": (16, 32)},
    "student rt-detr": {"name": "rtdetrv2-micro", "seed": 0, **TINY, "points": 2},
    "student r-cnn": {"name": "mask-rcnn-micro", "seed": 0, "width": 32, "hidden": 32, "anchor": 8, "proposals": 12},
    "teacher r-cnn": {"name": "mask-rcnn-micro", "seed": 1, "width": 48, "hidden": 32, "anchor": 8, "proposals": 12},
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


@pytest.fixture(scope="session")
def built_detector() -> Callable[[str], Detector]:
    """Each is built when first asked for."""
    return cache(lambda key: build_detector(labels=REGIONS, size=LAYOUT_SIZE, **DETECTORS[key]))  # type: ignore[arg-type]


@pytest.fixture
def layout_pair_of(built_detector: Callable[[str], Detector]) -> Callable[..., Pair]:
    """layout_pair_of("rt-detr", "d-fine"): fresh copies of an RT-DETR student and a D-FINE teacher; "none" for none."""

    def make(student: str = "d-fine", teacher: str = "d-fine") -> Pair:
        other = None if teacher == "none" else deepcopy(built_detector(f"teacher {teacher}")).eval()
        thresholds = dict.fromkeys(REGIONS, 0.2)
        student_model = deepcopy(built_detector(f"student {student}"))
        return Pair(student_model, other, detection(REGIONS), LAYOUT_SIZE, thresholds)

    return make


@pytest.fixture
def layout_batch() -> Batch:
    """Five pages of noise: two regions, none, unknown, three regions, and one that a teacher found."""
    pixels = torch.rand(5, 3, *LAYOUT_SIZE, generator=torch.Generator().manual_seed(0))
    boxes = torch.full((5, 3, 4), 0.5)
    classes = torch.full((5, 3), -1)
    regions = {
        0: [(0, (0.3, 0.2, 0.4, 0.2)), (2, (0.7, 0.7, 0.3, 0.5))],
        3: [(1, (0.5, 0.1, 0.8, 0.1)), (0, (0.5, 0.5, 0.9, 0.3)), (3, (0.2, 0.8, 0.1, 0.2))],
        4: [(2, (0.4, 0.6, 0.5, 0.4))],
    }
    for page, found in regions.items():
        for place, (kind, box) in enumerate(found):
            classes[page, place] = kind
            boxes[page, place] = torch.tensor(box)
    origin = torch.tensor([TRUE, TRUE, UNKNOWN, TRUE, PSEUDO])
    targets = {"boxes": boxes, "classes": classes, "origin": origin}
    return Batch(pixels, targets, tuple(Key(f"page{i}", 0) for i in range(5)))
