"""A bundle made by hand, whose graph NumPy can repeat: mean colour of the page times a matrix."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from distildoc.schema.bundle import Bundle, Graph, stored
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Page
from distildoc.schema.preprocess import Preprocess

LABELS = ("letter", "form", "memo", "e-mail, printed")
WEIGHTS = np.array([[4, -3, 0.5, 1], [-2, 5, 1, -1], [1, -1, 3, -4]], np.float32)  # [3 colours, 4 classes]
BIAS = np.array([0.1, -0.2, 0.3, 0], np.float32)
SIDE = 16


def graph(weights: NDArray[np.float32] = WEIGHTS, bias: NDArray[np.float32] = BIAS) -> onnx.ModelProto:
    nodes = [
        helper.make_node("ReduceMean", ["pixels", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    constants = {"weights": weights, "bias": bias, "axes": np.array([2, 3], np.int64)}
    body = helper.make_graph(
        nodes,
        "mean colour",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(bias)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a bundle with the given graph and labels; gives its folder."""

    def make(model: onnx.ModelProto | None = None, labels: tuple[str, ...] = LABELS, side: int = SIDE) -> Path:
        folder = tmp_path / "bundle"
        folder.mkdir()
        onnx.save(model or graph(), str(folder / "model.onnx"))
        bundle = Bundle(
            task="classification",
            labels=labels,
            preprocess=Preprocess(side, side),
            temperature=1.0,
            graph=Graph("model.onnx", ("pixels",), ("logits",), 18),
            files={"model.onnx": stored(folder / "model.onnx")},
        )
        (folder / "bundle.json").write_text(json.dumps(bundle.to_json()))
        return folder

    return make


@pytest.fixture
def bundle(make_bundle: Callable[..., Path]) -> Path:
    return make_bundle()


def coloured(number: int, *, broken: bool = False) -> Page:
    """A page of one colour that depends on its number."""

    def load(longest_px: int | None) -> Image.Image:
        if broken:
            raise InputError(f"page {number}: cannot read the image (damaged)")
        return Image.new("RGB", (40, 60), colour(number))

    return Page(f"page-{number}", f"{number}.png", 1, load)


def colour(number: int) -> tuple[int, int, int]:
    return (37 * number % 256, 91 * number % 256, 151 * number % 256)


def expected(number: int) -> NDArray[np.float64]:
    """Probabilities of a page, in float64."""
    logits = np.array(colour(number)) / 255 @ WEIGHTS.astype(np.float64) + BIAS
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


@pytest.fixture
def hand() -> SimpleNamespace:
    """What the hand-made bundle is made of, and what it must say."""
    return SimpleNamespace(
        graph=graph,
        labels=LABELS,
        weights=WEIGHTS,
        bias=BIAS,
        side=SIDE,
        page=coloured,
        pages=lambda count: [coloured(number) for number in range(count)],
        expected=expected,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven readable images, names in order, colours by number."""
    path = tmp_path / "scans"
    path.mkdir()
    for number in range(7):
        Image.new("RGB", (40, 60), colour(number)).save(path / f"{number}.png")
    return path
