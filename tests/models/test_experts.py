"""models.experts: gates, trees, and what is saved and exported."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from scipy.special import softmax
from torch import Tensor

from distildoc.core.model import Model
from distildoc.core.taps import shapes
from distildoc.export.to_onnx import to_onnx
from distildoc.models.build import build_model
from distildoc.models.experts import ClassExperts, ExpertBody, Gate, expert_body, gates_of
from distildoc.models.heads import build_head
from distildoc.models.load import load_model, save_model
from distildoc.schema.errors import ConfigError, InputError

LABELS = ("letter", "form", "memo")
SIZE = (32, 16)


def pixels(pages: int = 4) -> Tensor:
    return torch.rand(pages, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def mixture() -> Model:
    return build_model("hme", labels=LABELS, size=SIZE, channels=1, experts=(2, 4), inner=4, outer=6, hidden=8)


def gate(children: int, parents: int) -> Gate:
    torch.manual_seed(0)
    return Gate(children, parents)


def test_a_child_reads_the_mean_of_its_parents_by_the_formula() -> None:
    one, feature = gate(4, 3), torch.randn(2, 3 * 5, 2, 2)
    one.temperature = 0.3
    q = softmax(one.affinity.detach().numpy() / 0.5, -1)
    d = q ** (1 / 0.3) / (q ** (1 / 0.3)).sum(-1, keepdims=True)
    np.testing.assert_allclose(d.sum(-1), 1, rtol=1e-5)
    wanted = np.einsum("ji,bichw->bjchw", d, feature.view(2, 3, 5, 2, 2).numpy()).reshape(2, 20, 2, 2)
    np.testing.assert_allclose(one(feature).detach().numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_shares_sum_to_one_and_a_low_temperature_gives_the_tree_of_evaluation() -> None:
    one, feature = gate(4, 3), torch.randn(2, 15)
    for temperature in (10.0, 1.0, 1e-3):
        one.temperature = temperature
        torch.testing.assert_close(one.scores.softmax(-1).sum(-1), torch.ones(4))
    soft = one(feature)
    one.eval()
    torch.testing.assert_close(one(feature), soft)
    torch.testing.assert_close(one(feature), feature.view(2, 3, 5)[:, one.affinity.argmax(1)].flatten(1))


def test_a_high_temperature_lets_all_parents_in_alike() -> None:
    one, feature = gate(4, 3), torch.randn(2, 15)
    one.temperature = 1e6
    torch.testing.assert_close(one(feature), feature.view(2, 3, 5).mean(1).repeat(1, 4), rtol=1e-4, atol=1e-4)


def test_blocks_of_a_level_share_nothing() -> None:
    body = mixture().body.eval()
    assert isinstance(body, ExpertBody)
    feature = torch.randn(1, 2 * 6, 8, 8, requires_grad=True)
    level = body.levels[1]
    found = level(feature.repeat(1, 2, 1, 1)).unflatten(1, (4, 6))
    with torch.no_grad():
        level[0].weight[:4] += 1.0  # the first block's
    changed = level(feature.repeat(1, 2, 1, 1)).unflatten(1, (4, 6))
    assert not torch.equal(changed[:, 0], found[:, 0])
    assert torch.equal(changed[:, 1:], found[:, 1:])


def test_a_class_has_a_head_of_its_own_on_its_parent() -> None:
    torch.manual_seed(0)
    head = ClassExperts(classes=3, parents=2, features=5, hidden=4).eval()
    feature = torch.randn(6, 10)
    rows = feature.view(6, 2, 5)[:, head.gate.parents].numpy()
    first, second, last = (layer for layer in head.heads if isinstance(layer, torch.nn.Conv1d))
    for label in range(3):
        values = rows[:, label]
        for layer, units in ((first, 4), (second, 4), (last, 1)):
            part = slice(label * units, label * units + units)
            weight, bias = layer.weight.detach()[part, :, 0].numpy(), layer.bias.detach()[part].numpy()  # type: ignore[union-attr]
            values = values @ weight.T + bias
            values = np.maximum(values, 0) if layer is not last else values
        np.testing.assert_allclose(head(feature)[:, label].detach().numpy(), values[:, 0], rtol=1e-4, atol=1e-5)


def test_places_have_the_shapes_they_promise() -> None:
    found = shapes(mixture(), ["penultimate", "map", "stage:0"], SIZE)
    assert found == {"penultimate": (4 * 6 * 4,), "map": (4 * 6, 8, 4), "stage:0": (2 * 6, 16, 8)}


def test_gates_come_from_the_first_level_to_the_classes() -> None:
    assert [tuple(one.affinity.shape) for one in gates_of(mixture())] == [(4, 2), (3, 4)]
    assert gates_of(build_model("cnn-micro", labels=LABELS, size=SIZE)) == []


def test_the_same_seed_gives_the_same_bits() -> None:
    first, second = mixture().state_dict(), mixture().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_loads_as_it_was_saved(tmp_path: Path) -> None:
    model = mixture().eval()
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    with torch.no_grad():
        assert torch.equal(loaded(pixels())["logits"], model(pixels())["logits"])
    assert loaded.recipe == model.recipe


def test_the_exported_graph_is_the_tree(tmp_path: Path) -> None:
    model = mixture().eval()
    to_onnx(model, tmp_path / "model.onnx", size=SIZE)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pixels": pixels(5).numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, model(pixels(5))["logits"].numpy(), rtol=1e-4, atol=1e-5)


def test_pages_that_cannot_be_halved_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"sides of \(36, 36\) pixels are no multiples of 8"):
        build_model("hme", labels=LABELS, size=(36, 36))


@pytest.mark.parametrize("config", [None, {"experts": []}, {"experts": [2, 0], "channels": 1}, {"experts": [2, 4]}])
def test_a_damaged_description_is_an_error(config: object) -> None:
    with pytest.raises(InputError, match=r"recipe|model description"):
        expert_body({"source": "experts", "config": config})


def test_a_head_without_its_numbers_is_an_error() -> None:
    with pytest.raises(InputError, match="`hidden` must be a whole number"):
        build_head({"kind": "experts", "classes": 2, "parents": 2, "features": 4})
