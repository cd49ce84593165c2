"""Taps against plain hooks and shapes worked out by hand."""

import pytest
import torch
from torch import Tensor, nn

from distildoc.core.model import Model, Normalise, Places
from distildoc.core.taps import Taps, resolve, shapes
from distildoc.schema.errors import TapError


class Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.ReLU()
        )

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels).mean((2, 3))


def make_model() -> Model:
    torch.manual_seed(0)
    places = Places("body", "body.network", ("body.network.0", "body.network.1", "body.network.2", "body.network.3"))
    return Model(
        Body(), nn.Linear(5, 2), normalise=Normalise(), labels=["a", "b"], places=places, recipe={"source": "test"}
    ).eval()


@pytest.mark.parametrize(
    ("tap", "path"),
    [
        ("early", "body.network.0"),
        ("middle", "body.network.1"),
        ("late", "body.network.3"),
        ("stage:-1", "body.network.3"),
        ("depth:0.75", "body.network.2"),
        ("2", "body.network.2"),
        ("body.network.1", "body.network.1"),
        ("map", "body.network"),
    ],
)
def test_alias_names_the_block_at_that_depth(tap: str, path: str) -> None:
    assert resolve(make_model(), tap) == path


def test_unknown_path_lists_the_closest_names() -> None:
    with pytest.raises(TapError, match="no module 'midle' in Body; closest: middle"):
        resolve(make_model(), "midle")


@pytest.mark.parametrize("tap", ["stage:4", "stage:-5", "depth:0", "depth:1.5"])
def test_tap_outside_the_network_is_refused(tap: str) -> None:
    with pytest.raises(TapError, match=tap):
        resolve(make_model(), tap)


def test_feature_equals_a_forward_by_hand() -> None:
    model = make_model()
    pixels = torch.rand(2, 3, 8, 8)
    with Taps(model, ["early", "penultimate"]) as taps:
        view = taps(pixels)
    normalised = (pixels - 0.5) / 0.5
    assert torch.equal(view.features["early"], model.body.network[0](normalised))
    assert torch.equal(view.outputs["logits"], model.head(view.features["penultimate"]))


def test_forward_without_outputs_stops_at_the_deepest_tap() -> None:
    model = make_model()
    ran: list[str] = []
    model.body.network[3].register_forward_hook(lambda *_: ran.append("last"))
    with Taps(model, ["stage:0", "stage:1"], outputs=False) as taps, torch.no_grad():
        view = taps(torch.rand(1, 3, 8, 8))
    assert set(view.features) == {"stage:0", "stage:1"} and view.outputs == {} and ran == []


def test_removed_taps_leave_no_hook_behind() -> None:
    model = make_model()
    with Taps(model, ["map"]):
        pass
    assert all(not module._forward_hooks for module in model.modules())


def test_two_taps_on_one_model_share_nothing() -> None:
    model = make_model()
    with Taps(model, ["map"]) as one, Taps(model, ["early"]) as two:
        first = one(torch.zeros(1, 3, 8, 8))
        second = two(torch.ones(1, 3, 8, 8))
    assert set(first.features) == {"map"} and set(second.features) == {"early"}


def test_shapes_leave_out_the_batch_and_restore_the_mode() -> None:
    model = make_model().train()
    assert shapes(model, ["map"], (8, 6))["map"] == torch.Size([5, 4, 3])
    assert model.training
