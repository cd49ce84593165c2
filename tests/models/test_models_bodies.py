import pytest
import torch
from torch import nn

from distildoc.core.taps import shapes
from distildoc.models.bodies import MapBody, TimmMapBody, map_body, take_head
from distildoc.models.build import build_model
from distildoc.models.hub import load_network, network_class, read_config
from distildoc.schema.errors import InputError

EVERY_FAMILY = ("resnet", "vit", "deit", "beit", "dinov2", "convnext", "swin")
PAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_body_and_head_equal_the_whole_network(family, published):
    folder = published(family, "a", "b")
    whole = load_network(folder, read_config(folder)).eval()
    model = build_model(str(folder), labels=("a", "b"), size=(64, 64), pretrained=True).eval()
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (model.normalise.mean, model.normalise.std))
    with torch.no_grad():
        torch.testing.assert_close(model(PAGES)["logits"], whole((PAGES - mean) / std).logits)


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_places_name_modules_and_grow_deeper(family, published):
    model = build_model(str(published(family)), labels=("a", "b"), size=(64, 64))
    paths = [name for name, _ in model.named_modules()]
    places = model.places
    assert len(places.stages) >= 2
    assert [paths.index(stage) for stage in places.stages] == sorted(paths.index(stage) for stage in places.stages)
    assert places.map in paths
    found = shapes(model, ["penultimate", "map", "early", "late"], (64, 64))
    assert found["penultimate"] == (model.head.in_features,)


@pytest.mark.parametrize(
    ("family", "grid"),
    [
        ("resnet", (16, 8, 12)),
        ("vit", (32, 4, 6)),
        ("beit", (32, 4, 6)),
        ("convnext", (16, 2, 3)),
        ("swin", (16, 8, 12)),
    ],
)
def test_map_has_the_shape_of_the_page(family, grid, published):
    model = build_model(str(published(family)), labels=("a", "b"), size=(64, 96)).eval()
    with torch.no_grad():
        assert map_body(model)(torch.zeros(1, 3, 64, 96)).shape == (1, *grid)


def test_map_of_tokens_puts_each_patch_at_its_place(published):
    model = build_model(str(published("vit")), labels=("a", "b"), size=(64, 64)).eval()
    with torch.no_grad():
        tokens = model.body.network.vit(PAGES).last_hidden_state  # CLS first, then rows of 4 patches
        grid = map_body(model)(PAGES)
    torch.testing.assert_close(grid[:, :, 2, 1], tokens[:, 1 + 2 * 4 + 1])


def test_map_body_shares_the_weights_of_the_model(published):
    model = build_model(str(published("resnet")), labels=("a", "b"), size=(64, 64))
    body = map_body(model)
    assert isinstance(body, MapBody)
    assert body.network is model.body.network
    model.body = body
    assert map_body(model) is body


def test_map_in_channels_last_is_turned_round():
    class Network(nn.Module):
        def forward_features(self, pixels):
            return torch.arange(24.0).reshape(1, 2, 3, 4)

    body = TimmMapBody(Network(), channels_last=True)
    assert body(torch.zeros(1, 3, 64, 96))[0, :, 1, 2].tolist() == [20, 21, 22, 23]


def test_a_network_without_a_linear_classifier_is_refused(published):
    config = read_config(published("resnet"))
    network = network_class(config)(config)
    take_head(network)
    with pytest.raises(InputError, match="no linear layer in `classifier`"):
        take_head(network)
