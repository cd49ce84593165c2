import errno
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distildoc.models import load
from distildoc.models.bodies import map_body
from distildoc.models.build import build_model
from distildoc.models.load import fingerprint, load_body, load_model, save_model
from distildoc.schema.errors import InputError

PAGES = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    model = build_model("cnn-micro", labels=("letter", "form"), size=(64, 64), channels=1, seed=1)
    model.train()
    model(PAGES)  # moves the running statistics of the batch norms
    return model.eval()


@pytest.fixture
def folder(model, tmp_path) -> Path:
    save_model(model, tmp_path / "model")
    return tmp_path / "model"


def edit(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_saved_model_gives_identical_logits(model, folder):
    again = load_model(folder)
    with torch.no_grad():
        assert torch.equal(again(PAGES)["logits"], model(PAGES)["logits"])
    assert (again.labels, again.normalise, again.places) == (model.labels, model.normalise, model.places)
    assert not again.training


@pytest.mark.parametrize("family", ["vit", "deit", "beit", "dinov2", "convnext", "swin"])
def test_every_family_survives_saving_at_another_size(family, published, tmp_path):
    model = build_model(str(published(family)), labels=("a", "b"), size=(32, 64), channels=1, pretrained=True).eval()
    save_model(model, tmp_path / "model")
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "model")(PAGES)["logits"], model(PAGES)["logits"])


def test_a_model_switched_to_its_map_loads_with_its_map(model, tmp_path):
    model.body = map_body(model)
    model.recipe["body"] = "map"
    save_model(model, tmp_path / "model")
    with torch.no_grad():
        again = load_model(tmp_path / "model")
        pixels = model.entry(PAGES)
        assert torch.equal(again.body(pixels), model.body(pixels))
        assert again.body(pixels).ndim == 4


def test_saving_again_replaces_the_folder(model, folder):
    with torch.no_grad():
        model.head.bias.fill_(2.5)
    save_model(model, folder)
    assert load_model(folder).head.bias.tolist() == [2.5, 2.5]
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_full_disk_leaves_the_old_model(model, folder, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = fingerprint(load_model(folder))
    monkeypatch.setattr(load, "save_file", full)
    with pytest.raises(InputError, match="the disk is full"):
        save_model(build_model("cnn-micro", labels=("a", "b"), size=(64, 64)), folder)
    assert fingerprint(load_model(folder)) == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_truncated_weights_are_named(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"model\.safetensors: not readable weights") as error:
        load_model(folder)
    assert "\n" not in str(error.value)


def test_missing_weights_are_named(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: no such file"):
        load_model(folder)


def test_a_tensor_too_few_is_named(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["head.bias"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(InputError, match=r"1 missing \(first: head\.bias\), 0 unknown"):
        load_model(folder)


def test_a_tensor_of_another_shape_is_named(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["head.bias"] = torch.zeros(5)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(InputError, match=r"'head\.bias' has shape \(5,\), the network wants \(2,\)"):
        load_model(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2, this version reads 1"),
        ({"labels": "letter"}, "`labels` must be a list of names"),
        ({"recipe": None}, "`recipe` must be a mapping"),
        ({"normalise": {"mean": [0.5], "std": [0.0], "size": None}}, "std must be positive"),
        ({"places": {}}, "penultimate"),
    ],
)
def test_a_damaged_description_is_named(changes, message, folder):
    edit(folder, **changes)
    with pytest.raises(InputError, match=message) as error:
        load_model(folder)
    assert "\n" not in str(error.value)


def test_a_truncated_description_is_named(folder):
    path = folder / "model.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(InputError, match=r"model\.json: not valid JSON .* truncated"):
        load_model(folder)


def test_fingerprint_survives_saving(model, folder):
    assert fingerprint(load_model(folder)) == fingerprint(model)


def test_fingerprint_changes_with_one_weight(model):
    before = fingerprint(model)
    with torch.no_grad():
        model.head.weight[0, 0] += 1e-6
    assert fingerprint(model) != before


def test_fingerprint_changes_with_the_labels_and_the_statistics(model):
    before = fingerprint(model)
    model.labels = ("form", "letter")
    relabelled = fingerprint(model)
    model.train()(PAGES)
    assert len({before, relabelled, fingerprint(model)}) == 3


def test_a_body_starts_another_model_and_leaves_its_head(model, folder):
    other = build_model("cnn-micro", labels=("a", "b", "c"), size=(64, 64), channels=1, seed=7)
    head = other.head.weight.clone()
    load_body(other, folder)
    assert all(torch.equal(value, other.body.state_dict()[name]) for name, value in model.body.state_dict().items())
    assert torch.equal(other.head.weight, head)


def test_a_body_is_found_in_a_run_folder(model, tmp_path):
    save_model(model, tmp_path / "run" / "model")
    other = build_model("cnn-micro", labels=("a", "b"), size=(64, 64), channels=1, seed=7)
    load_body(other, tmp_path / "run")
    assert torch.equal(
        other.body.network.state_dict()["resnet.embedder.embedder.convolution.weight"],
        model.body.network.state_dict()["resnet.embedder.embedder.convolution.weight"],
    )


def test_a_body_of_another_make_is_refused(folder):
    other = build_model("cnn-micro", labels=("a", "b"), size=(64, 64), channels=3)
    with pytest.raises(InputError, match=r"has shape .*; were size, channels or widths changed"):
        load_body(other, folder)


def test_a_folder_without_a_model_is_named(tmp_path, model):
    with pytest.raises(InputError, match="no finished run or model there"):
        load_body(model, tmp_path)
