"""timm cannot be installed beside a CPU torch without torchvision, so a small module stands in for it here."""

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from distildoc.core.taps import Taps, shapes
from distildoc.models.bodies import map_body
from distildoc.models.build import build_model
from distildoc.models.grids import grid_of
from distildoc.models.load import fingerprint, load_model, save_model
from distildoc.schema.errors import ConfigError, InputError

PAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


class Conv(nn.Module):
    """timm's contract: forward_features, a classifier that can be reset, feature_info, pretrained_cfg."""

    def __init__(self, num_classes: int, in_chans: int, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_chans, 8, 3, 4)
        self.act1 = nn.ReLU()
        self.layer1 = nn.Conv2d(8, 12, 3, 2)
        self.fc = nn.Linear(12, num_classes) if num_classes else nn.Identity()
        self.feature_info = [{"module": "act1"}, {"module": "layer1"}]
        self.pretrained_cfg = {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.5, 0.5)}

    def forward_features(self, x):
        return self.layer1(self.act1(self.conv1(x)))

    def forward(self, x):
        return self.fc(self.forward_features(x).mean((2, 3)))

    def get_classifier(self):
        return self.fc

    def reset_classifier(self, num_classes):
        self.fc = nn.Linear(12, num_classes) if num_classes else nn.Identity()


class Tokens(Conv):
    """A ViT in timm's manner: img_size, a CLS token, a final norm."""

    def __init__(self, num_classes: int, in_chans: int, img_size: tuple[int, int]) -> None:
        super().__init__(num_classes, in_chans)
        self.patch = nn.Conv2d(in_chans, 12, 16, 16)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 12))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + img_size[0] * img_size[1] // 256, 12))
        self.blocks = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12))
        self.norm = nn.LayerNorm(12)
        self.feature_info = [{"module": "blocks.0"}, {"module": "blocks.1"}]

    def forward_features(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), tokens], 1) + self.pos_embed
        return self.norm(self.blocks(tokens))

    def forward(self, x):
        return self.fc(self.forward_features(x)[:, 0])


class ChannelsLast(Conv):
    """A Swin in timm's manner: maps are [B, h, w, D]."""

    output_fmt = "NHWC"

    def __init__(self, num_classes: int, in_chans: int) -> None:
        super().__init__(num_classes, in_chans)
        self.norm = nn.LayerNorm(12)

    def forward_features(self, x):
        return self.norm(super().forward_features(x).permute(0, 2, 3, 1))

    def forward(self, x):
        return self.fc(self.forward_features(x).mean((1, 2)))


@pytest.fixture(autouse=True)
def timm(monkeypatch):
    networks = {"conv": Conv, "tokens": Tokens, "channels_last": ChannelsLast}

    def create_model(name, pretrained=False, **arguments):
        network = networks[name](**arguments)
        network.was_pretrained = pretrained
        return network

    module = ModuleType("timm")
    module.create_model = create_model
    module.list_models = lambda: list(networks)
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


@pytest.mark.parametrize("name", ["timm:conv", "timm:tokens"])
def test_body_and_head_equal_the_whole_network(name):
    model = build_model(name, labels=("a", "b"), size=(64, 64)).eval()
    network = model.body.network
    pixels = model.entry(PAGES)
    with torch.no_grad():
        pooled = network(pixels)  # the classifier has been reset, so this is what the head reads
        torch.testing.assert_close(model(PAGES)["logits"], pooled @ model.head.weight.T + model.head.bias)


def test_normalisation_is_timms():
    assert build_model("timm:conv", labels=("a", "b"), size=(64, 64)).normalise.mean == (0.1, 0.2, 0.3)
    grey = build_model("timm:conv", labels=("a", "b"), size=(64, 64), channels=1).normalise
    assert grey.mean == pytest.approx((0.2,))


def test_places_come_from_feature_info():
    places = build_model("timm:conv", labels=("a", "b"), size=(64, 64)).places
    assert places.stages == ("body.network.layer1",)
    assert places.map == "body.network.layer1"
    places = build_model("timm:tokens", labels=("a", "b"), size=(64, 64)).places
    assert (places.map, places.tokens) == ("body.network.norm", 1)


def test_map_of_tokens_is_a_grid_without_the_class_token():
    model = build_model("timm:tokens", labels=("a", "b"), size=(32, 64))
    assert map_body(model)(torch.zeros(1, 3, 32, 64)).shape == (1, 12, 2, 4)
    assert shapes(model, ["map"], (32, 64))["map"] == (9, 12)


def test_a_tapped_map_has_its_channels_where_the_body_of_maps_has_them():
    model = build_model("timm:channels_last", labels=("a", "b"), size=(64, 96)).eval()
    grid = grid_of(model, (64, 96))
    pixels = torch.rand(2, 3, 64, 96)
    with Taps(model, ["map"]) as taps, torch.no_grad():
        tapped, whole = grid(taps(pixels).features["map"]), map_body(model)(model.entry(pixels))
    assert torch.equal(tapped, whole)
    assert grid.shape(shapes(model, ["map"], (64, 96))["map"])[0] == 12
    assert grid(torch.zeros(2, 12)).shape == (2, 12, 1, 1)


@pytest.mark.parametrize("name", ["timm:conv", "timm:tokens"])
def test_a_saved_timm_model_loads_again(name, tmp_path):
    model = build_model(name, labels=("a", "b"), size=(64, 32), channels=1)
    save_model(model, tmp_path / "model")
    assert fingerprint(load_model(tmp_path / "model")) == fingerprint(model)


def test_pretrained_reaches_timm():
    model = build_model("timm:conv", labels=("a", "b"), size=(64, 64), pretrained=True)
    assert model.body.network.was_pretrained


def test_same_seed_gives_the_same_bits():
    first, second = (build_model("timm:conv", labels=("a", "b"), size=(64, 64), seed=2) for _ in range(2))
    assert fingerprint(first) == fingerprint(second)


def test_an_unknown_name_shows_the_closest():
    with pytest.raises(ConfigError, match="unknown timm model 'token'; closest: tokens"):
        build_model("timm:token", labels=("a", "b"), size=(64, 64))


def test_an_unknown_setting_is_refused():
    with pytest.raises(ConfigError, match="unknown setting 'depth'; known: drop_path_rate, drop_rate"):
        build_model("timm:conv", labels=("a", "b"), size=(64, 64), depth=2)


def test_a_setting_that_the_network_does_not_take_is_named():
    with pytest.raises(ConfigError, match=r"'timm:conv' does not take these settings: .*drop_path_rate"):
        build_model("timm:conv", labels=("a", "b"), size=(64, 64), drop_path_rate=0.1)


def test_a_recipe_with_other_arguments_is_refused(tmp_path):
    model = build_model("timm:conv", labels=("a", "b"), size=(64, 64))
    model.recipe["arguments"] = {"in_chans": 3, "checkpoint_path": "evil.pth"}
    save_model(model, tmp_path / "model")
    with pytest.raises(InputError, match="needs `size` and `arguments` of drop_path_rate, drop_rate, in_chans"):
        load_model(tmp_path / "model")


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r"install distildoc\[timm\]"):
        build_model("timm:conv", labels=("a", "b"), size=(64, 64))
