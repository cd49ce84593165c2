"""A layout bundle made by hand: the same regions on every page, in shares of it, whatever the pixels say."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from distildoc.schema.bundle import Bundle, Graph, stored
from distildoc.schema.preprocess import Preprocess

LABELS = (
    *("Caption", "Footnote", "Formula", "List-item", "Page-footer", "Page-header"),
    *("Picture", "Section-header", "Table", "Text", "Title"),
)
SIDE = 32
Region = tuple[str, tuple[float, float, float, float], float]  # class, box in shares, score
INPUTS, OUTPUTS = ("images", "orig_target_sizes"), ("labels", "boxes", "scores")


def graph(regions: Sequence[Region], *, labels: Sequence[str] = LABELS, side: int = SIDE) -> onnx.ModelProto:
    """`labels`, `boxes` and `scores` as layout graphs give them; the pixels only tell how many pages there are."""
    count = len(regions)
    constants = {
        "shares": np.array([box for _, box, _ in regions], np.float32).reshape(1, count, 4),
        "certain": np.array([[score for *_, score in regions]], np.float32),
        "places": np.array([[labels.index(label) for label, *_ in regions]], np.int64),
        "twice": np.array([1, 2], np.int64),
        "middle": np.array([1], np.int64),
        "inner": np.array([1, 2, 3], np.int64),
        "zero": np.zeros(1, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Tile", ["sizes", "twice"], ["sides"]),
        helper.make_node("Unsqueeze", ["sides", "middle"], ["scale"]),
        helper.make_node("Mul", ["shares", "scale"], ["boxes"]),
        helper.make_node("ReduceSum", ["images", "inner"], ["ink"], keepdims=0),
        helper.make_node("Mul", ["ink", "zero"], ["nothing"]),
        helper.make_node("Unsqueeze", ["nothing", "middle"], ["column"]),
        helper.make_node("Add", ["certain", "column"], ["scores"]),
        helper.make_node("Cast", ["column"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Add", ["places", "whole"], ["labels"]),
    ]
    shapes = {"labels": ["batch", count], "boxes": ["batch", count, 4], "scores": ["batch", count]}
    kinds = {"labels": TensorProto.INT64, "boxes": TensorProto.FLOAT, "scores": TensorProto.FLOAT}
    body = helper.make_graph(
        nodes,
        "fixed layout",
        [
            helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, side, side]),
            helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["batch", 2]),
        ],
        [helper.make_tensor_value_info(name, kinds[name], shapes[name]) for name in OUTPUTS],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def write_bundle(
    folder: Path,
    regions: Sequence[Region],
    *,
    labels: tuple[str, ...] = LABELS,
    thresholds: Mapping[str, float] | None = None,
    nms_iou: float | None = None,
) -> Path:
    """A bundle that always finds these regions; thresholds are 0.5 unless given."""
    folder.mkdir(parents=True)
    onnx.save(graph(regions, labels=labels), str(folder / "model.onnx"))
    bundle = Bundle(
        task="detection",
        labels=labels,
        preprocess=Preprocess(SIDE, SIDE),
        temperature=1.0,
        graph=Graph("model.onnx", INPUTS, OUTPUTS, 18),
        files={"model.onnx": stored(folder / "model.onnx")},
        thresholds=thresholds or {},
        nms_iou=nms_iou,
    )
    (folder / "bundle.json").write_text(json.dumps(bundle.to_json()), encoding="utf-8")
    return folder
