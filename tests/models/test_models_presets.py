import pytest
import torch

from distildoc.core.model import parameter_count
from distildoc.models import presets
from distildoc.models.build import build_model
from distildoc.models.presets import MODELS, find_preset
from distildoc.schema.errors import ConfigError

PAPER_PARAMETERS_M = {  # DistilDoc, table of models: 1000 or no classes, as published with the hub checkpoints
    "resnet-101": 42.5,
    "resnet-50": 23.51,
    "vit-b": 86.39,
    "vit-s": 21.81,
    "vit-t": 5.56,
    "dit-b": 85.81,
}
OURS = ("cnn-micro", "cnn-tiny", "cnn-small", "vit-micro", "vit-mini")


@pytest.mark.parametrize("name", PAPER_PARAMETERS_M)
def test_size_agrees_with_the_paper_within_one_per_cent(name):
    with torch.device("meta"):
        model = build_model(name, labels=[f"class {number}" for number in range(16)], size=(224, 224))
    assert parameter_count(model) / 1e6 == pytest.approx(PAPER_PARAMETERS_M[name], rel=0.01)


@pytest.mark.parametrize(("name", "millions"), [("cnn-micro", 0.06), ("cnn-tiny", 0.175), ("cnn-small", 2.8)])
def test_small_network_has_the_size_its_description_gives(name, millions):
    model = build_model(name, labels=("a", "b"), size=(128, 128), channels=1)
    assert parameter_count(model) / 1e6 == pytest.approx(millions, rel=0.06)


@pytest.mark.parametrize(("name", "channels"), zip(OURS, (1, 3, 1, 3, 1), strict=True))
def test_small_network_gives_one_logit_a_class(name, channels):
    model = build_model(name, labels=("a", "b", "c"), size=(64, 48), channels=channels).eval()
    with torch.no_grad():
        assert model(torch.rand(2, 3, 64, 48))["logits"].shape == (2, 3)


def test_settings_change_the_network():
    model = build_model("cnn-micro", labels=("a", "b"), size=(64, 64), widths=(8, 12), depths=(1, 2), embedding=8)
    assert model.head.in_features == 12
    assert len(model.places.stages) == 2


def test_widths_without_as_many_depths_are_refused():
    with pytest.raises(ConfigError, match="one value a stage each"):
        build_model("cnn-micro", labels=("a", "b"), size=(64, 64), widths=(8, 12))


def test_patches_that_do_not_divide_the_page_are_refused():
    with pytest.raises(ConfigError, match="no whole number of 16-pixel patches"):
        build_model("vit-micro", labels=("a", "b"), size=(100, 64))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ConfigError, match="`width` 96 must be a multiple of `heads` 5"):
        build_model("vit-micro", labels=("a", "b"), size=(64, 64), heads=5)


def test_vit_s_has_six_heads():
    with torch.device("meta"):
        model = build_model("vit-s", labels=("a", "b"), size=(224, 224))
    assert model.recipe["config"]["num_attention_heads"] == 6


def test_unknown_name_shows_the_closest():
    with pytest.raises(ConfigError, match="unknown model 'resnet-81'; closest: resnet-18"):
        find_preset("resnet-81")


def test_every_preset_says_what_it_is():
    assert len(MODELS) == 14
    assert all(str(preset) for preset in MODELS.values())


class Installed:
    """An entry point of another package."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def load(self):
        return self.value


def test_a_preset_of_an_installed_package_is_found(monkeypatch):
    theirs = presets.Preset(presets.resnet, "theirs")
    monkeypatch.setattr(presets, "entry_points", lambda group: [Installed("their-net", theirs)])
    assert find_preset("their-net") is theirs
    with pytest.raises(ConfigError, match="closest: their-net"):
        find_preset("their-ne")


def test_an_entry_point_that_is_no_preset_is_refused(monkeypatch):
    monkeypatch.setattr(presets, "entry_points", lambda group: [Installed("odd", print)])
    with pytest.raises(ConfigError, match=r"'odd' gives a builtin_function_or_method, not a Preset"):
        find_preset("odd")
