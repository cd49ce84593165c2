import json
import shutil

import pytest
import torch

from distildoc.core.model import Normalise
from distildoc.models import hub
from distildoc.models.build import build_model
from distildoc.schema.errors import InputError


def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "network")


def test_weights_of_a_folder_are_the_ones_saved(published):
    folder = published("convnext")
    network = hub.load_network(folder, hub.read_config(folder))
    torch.manual_seed(0)
    config = hub.read_config(folder)
    again = hub.network_class(config)(config)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in again.state_dict().items())


def test_normalisation_is_read_from_the_processor(published):
    processor = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "size": {"shortest_edge": 48}}
    folder = published("vit", processor=processor)
    found = hub.read_normalise(folder, hub.read_config(folder))
    assert found == Normalise((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), (48, 48))


def test_a_processor_that_does_not_normalise_gives_the_pixels_as_they_are(published):
    folder = published("vit", processor={"do_normalize": False})
    assert hub.read_normalise(folder, hub.read_config(folder)) == Normalise((0, 0, 0), (1, 1, 1), (64, 64))


@pytest.mark.parametrize(("family", "mean"), [("resnet", 0.485), ("vit", 0.5), ("beit", 0.5), ("swin", 0.485)])
def test_without_a_processor_the_family_decides(family, mean, published):
    folder = published(family)
    assert hub.read_normalise(folder, hub.read_config(folder)).mean[0] == mean


@pytest.mark.parametrize("size", [0, "big", [1, 2, 3], {"width": 3}, 10**6])
def test_an_unusable_size_is_named(size, published, tmp_path):
    folder = copied(published("vit"), tmp_path)
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    with pytest.raises(InputError, match="`size` must give height and width"):
        hub.read_normalise(folder, hub.read_config(folder))


def test_an_unusable_mean_is_named(published, tmp_path):
    folder = copied(published("vit"), tmp_path)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": ["a", "b", "c"]}))
    with pytest.raises(InputError, match="image_mean and image_std must be three numbers"):
        hub.read_normalise(folder, hub.read_config(folder))


def test_truncated_weights_are_one_line(published, tmp_path):
    folder = copied(published("resnet"), tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="weights cannot be read") as error:
        build_model(str(folder), labels=("a", "b"), size=(64, 64), pretrained=True)
    assert "\n" not in str(error.value)


def test_pickled_weights_are_never_read(published, tmp_path):
    folder = copied(published("resnet"), tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled weights are never read"):
        build_model(str(folder), labels=("a", "b"), size=(64, 64), pretrained=True)


def test_weights_of_another_network_are_refused(published, tmp_path):
    folder = copied(published("resnet"), tmp_path)
    shutil.copy(published("swin") / "model.safetensors", folder)
    with pytest.raises(InputError, match="none of the weights belongs to a ResNetForImageClassification"):
        build_model(str(folder), labels=("a", "b"), size=(64, 64), pretrained=True)


def test_half_precision_weights_become_float32(published, tmp_path):
    source = published("resnet")
    network = hub.load_network(source, hub.read_config(source)).half()
    network.save_pretrained(tmp_path / "half")
    model = build_model(str(tmp_path / "half"), labels=("a", "b"), size=(64, 64), pretrained=True)
    assert {value.dtype for value in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("key", ["auto_map", "quantization_config", "_attn_implementation", "attn_implementation"])
def test_keys_that_could_fetch_code_are_dropped(key, published):
    content = json.loads((published("resnet") / "config.json").read_text())
    config = hub.config_from({**content, key: {"AutoConfig": "evil.Evil"}}, where="config.json")
    assert "evil" not in json.dumps(config.to_dict())


def test_keys_that_could_fetch_code_are_dropped_inside_parts_of_a_config_too():
    parts = {"vision_config": {"model_type": "clip_vision_model", "attn_implementation": "evil/kernels"}}
    config = hub.config_from(
        {"model_type": "clip", **parts, "list": [{"_attn_implementation": "evil/kernels"}]}, where="c"
    )
    assert "evil" not in str(vars(config)) + str(vars(config.vision_config))


def test_a_config_cannot_change_what_a_forward_gives(published, tmp_path):
    folder = copied(published("resnet"), tmp_path)
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "return_dict": False}))
    model = build_model(str(folder), labels=("a", "b"), size=(64, 64)).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, 64, 64))["logits"].shape == (1, 2)


def test_a_misspelt_model_type_shows_the_closest():
    with pytest.raises(InputError, match="model_type 'resnt' is no image classifier of transformers; closest: resnet"):
        hub.config_from({"model_type": "resnt"}, where="config.json")


def test_a_hub_that_cannot_be_reached_names_the_way_out(monkeypatch):
    def unreachable(name, allow_patterns):
        assert "config.json" in allow_patterns
        raise OSError("no network\nat all")

    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    with pytest.raises(InputError, match=r"not in its cache \(no network at all\); .*`hf download owner/net`") as error:
        build_model("owner/net", labels=("a", "b"), size=(64, 64), pretrained=True)
    assert "\n" not in str(error.value)


def test_a_hub_id_without_weights_fetches_no_weights(monkeypatch, published):
    wanted = []

    def download(name, allow_patterns):
        wanted.extend(allow_patterns)
        return str(published("resnet"))

    monkeypatch.setattr(hub, "snapshot_download", download)
    model = build_model("owner/net", labels=("a", "b", "c"), size=(64, 64), pretrained=False)
    assert not any("safetensors" in pattern for pattern in wanted)
    assert model.head.out_features == 3


def test_a_preset_with_weights_comes_from_its_hub_id(monkeypatch, published):
    asked = []

    def download(name, allow_patterns):
        asked.append(name)
        return str(published("resnet", "a", "b"))

    monkeypatch.setattr(hub, "snapshot_download", download)
    build_model("resnet-18", labels=("a", "b"), size=(64, 64), pretrained=True)
    assert asked == ["microsoft/resnet-18"]


def test_a_config_that_is_too_large_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(" " * (5 << 20))
    with pytest.raises(InputError, match="more than the 4194304 allowed"):
        hub.read_config(tmp_path)
