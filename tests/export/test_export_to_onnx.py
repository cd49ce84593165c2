import copy
import errno
import logging

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from distildoc.export import graphs
from distildoc.export import to_onnx as exporter
from distildoc.export.to_onnx import to_onnx
from distildoc.models.bodies import map_body
from distildoc.models.heads import build_head, linear_spec
from distildoc.models.load import load_model, save_model
from distildoc.schema.errors import InputError


def run(path, pixels):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"pixels": pixels.numpy()})[0]


@pytest.mark.parametrize(
    ("family", "size", "channels"),
    [
        ("resnet", (48, 48), 1),  # smaller than the pages, which are resized in the graph
        ("vit", (64, 96), 3),
        ("beit", (64, 96), 3),
        ("convnext", (64, 96), 3),
        ("swin", (64, 96), 1),
    ],
)
def test_graph_equals_the_network_at_another_batch_and_aspect(family, size, channels, network, tmp_path):
    model = network(family, size, channels)
    graph = to_onnx(model, tmp_path / "model.onnx", size=(64, 96), temperature=2.0)
    pixels = torch.rand(5, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        logits = model(pixels)["logits"].numpy()
    assert np.ptp(logits) > 0.5  # the comparison would say nothing about logits that are all alike
    np.testing.assert_allclose(run(tmp_path / "model.onnx", pixels), logits / 2, atol=2e-5)
    assert (graph.inputs, graph.outputs) == (("pixels",), ("logits",))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["model.onnx"]


def test_a_projected_head_on_a_map_of_tokens_is_exported_and_saved_with_the_student(network, tmp_path):
    model = network("vit", (64, 96), 3)
    spec = {
        "kind": "projected",
        "projector": {"kind": "cnn", "source": 32, "target": 16, "last": "linear", "factor": 2},
        "classifier": linear_spec(nn.Linear(16, 3)),
    }
    model.head, model.body, model.recipe = build_head(spec), map_body(model), {**model.recipe, "head": spec}
    model.recipe["body"] = "map"
    save_model(model.eval(), tmp_path / "model")
    to_onnx(load_model(tmp_path / "model"), tmp_path / "model.onnx", size=(64, 96))
    pixels = torch.rand(3, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        np.testing.assert_allclose(run(tmp_path / "model.onnx", pixels), model(pixels)["logits"], atol=2e-5)


def test_the_graph_names_its_shape_and_no_path_of_this_machine(exported):
    graph = onnx.load(str(exported / "model.onnx"))
    (pixels,) = graph.graph.input
    sides = pixels.type.tensor_type.shape.dim
    assert sides[0].dim_param
    assert [side.dim_value for side in sides[1:]] == [3, 48, 32]
    content = (exported / "model.onnx").read_bytes()
    assert b"site-packages" not in content
    assert b".py" not in content


def test_exporting_leaves_the_student_as_it_was(student, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "write_graph", lambda network, examples, path, ports: path.write_bytes(b""))
    monkeypatch.setattr(exporter, "strip", lambda path: None)
    monkeypatch.setattr(exporter, "_check", lambda path, size, classes: 18)
    training = copy.deepcopy(student).train()
    to_onnx(training, tmp_path / "model.onnx", size=(48, 32))
    assert training.training


def test_tracing_takes_over_where_the_graph_exporter_fails(student, tmp_path, monkeypatch, caplog):
    def fails(network, examples, path, ports):
        raise RuntimeError("\x1b[96mno function\x1b[0m for aten._is_all_true. More.")

    monkeypatch.setattr(graphs, "_export_graph", fails)
    with caplog.at_level(logging.INFO, logger="distildoc"):
        graph = to_onnx(student, tmp_path / "model.onnx", size=(48, 32))
    assert caplog.messages == [
        "exported by tracing, because the graph exporter failed: no function for aten._is_all_true"
    ]
    pixels = torch.rand(3, 3, 48, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        np.testing.assert_allclose(run(tmp_path / "model.onnx", pixels), student(pixels)["logits"], atol=1e-4)
    assert graph.opset == 17


def test_a_student_that_neither_exporter_can_write_is_one_line(student, tmp_path, monkeypatch):
    def fails(network, examples, path, ports):
        path.write_bytes(b"half")
        raise RuntimeError("an operator\nis unknown")

    monkeypatch.setattr(graphs, "_export_graph", fails)
    monkeypatch.setattr(graphs, "_export_trace", fails)
    with pytest.raises(InputError, match="cannot be exported to ONNX: an operator is unknown; and by tracing"):
        to_onnx(student, tmp_path / "model.onnx", size=(48, 32))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_no_reason_to_trace(student, tmp_path, monkeypatch):
    def full(network, examples, path, ports):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(graphs, "_export_graph", full)
    monkeypatch.setattr(graphs, "_export_trace", lambda *given: pytest.fail("traced"))
    with pytest.raises(InputError, match=r"model\.onnx: the disk is full"):
        to_onnx(student, tmp_path / "model.onnx", size=(48, 32))


def test_a_temperature_of_zero_is_refused(student, tmp_path):
    with pytest.raises(ValueError, match="temperature must be above 0"):
        to_onnx(student, tmp_path / "model.onnx", size=(48, 32), temperature=0)


def test_exporting_prints_nothing(student, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(graphs, "_export_graph", graphs._export_trace)
    to_onnx(student, tmp_path / "model.onnx", size=(48, 32))
    assert capfd.readouterr() == ("", "")
