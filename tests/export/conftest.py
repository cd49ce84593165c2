"""A small student with weights that matter, its bundle, and some pages."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from distildoc.core.model import Model
from distildoc.export.bundle import write_bundle
from distildoc.models.build import build_model
from distildoc.schema.pages import Page
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.report import Report, Score

LABELS = ("letter", "form", "memo")
BLOCKS = {
    "image_size": 64,
    "patch_size": 16,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
FAMILIES: dict[str, dict[str, object]] = {
    "resnet": {"hidden_sizes": [8, 16], "depths": [1, 1], "embedding_size": 8, "layer_type": "basic"},
    "vit": BLOCKS,
    "beit": {**BLOCKS, "use_absolute_position_embeddings": True},
    "convnext": {"hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1]},
    "swin": {"image_size": 64, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
}


@pytest.fixture
def network(tmp_path: Path) -> Callable[..., Model]:
    """A small network of a family whose logits spread over several units."""

    def make(family: str, size: tuple[int, int], channels: int) -> Model:
        folder = tmp_path / family
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"model_type": family, **FAMILIES[family]}))
        return _stirred(build_model(str(folder), labels=LABELS, size=size, channels=channels), size)

    return make


def _stirred(model: Model, size: tuple[int, int]) -> Model:
    """Move the running statistics off their start, and spread the logits."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        model.train()(torch.rand(8, 3, *size, generator=generator))
        model.head.weight.mul_(50)
        model.head.bias.copy_(torch.tensor([0.5, -0.5, 0.2]))
    return model.eval()


@pytest.fixture(scope="session")
def student() -> Model:
    return _stirred(build_model("cnn-micro", labels=LABELS, size=(48, 32), channels=1, seed=0), (48, 32))


@pytest.fixture(scope="session")
def preprocess() -> Preprocess:
    return Preprocess(48, 32, grey=True)


@pytest.fixture(scope="session")
def report() -> Report:
    return Report(
        task="classification",
        labels=LABELS,
        pages=20,
        failed=1,
        scores={"accuracy": Score(0.85, 0.7, 0.95), "ece": Score(0.04, 0.02, 0.09)},
        slices={},
        confusion=((6, 1, 0), (1, 5, 0), (0, 1, 6)),
        reliability=(),
        risk_coverage=(),
        cost={"macs": 1.5e6, "latency_ms": 3.25},
    )


@pytest.fixture(scope="session")
def exported(student: Model, preprocess: Preprocess, report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student's bundle, with temperature 2; tests copy it before they change it."""
    folder = tmp_path_factory.mktemp("run") / "bundle"
    write_bundle(folder, student, preprocess=preprocess, temperature=2.0, source={"run": "kd-seed-0"}, report=report)
    return folder


@pytest.fixture(scope="session")
def pages() -> list[Page]:
    """Ten pages of dark lines on paper, each with its own spacing."""

    def page(number: int) -> Page:
        paper = np.full((90, 64, 3), 235, np.uint8)
        paper[:: number + 2] = 40
        paper[:, : 4 * number] = 200 - 15 * number
        image = Image.fromarray(paper)
        return Page(f"page-{number}", f"{number}.png", 1, lambda longest_px: image)

    return [page(number) for number in range(10)]
