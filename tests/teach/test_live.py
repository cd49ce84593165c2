"""teach.live: what a live teacher says, and what it leaves alone."""

from collections.abc import Callable

import pytest
import torch

from distildoc.core.batch import Batch
from distildoc.core.model import Model
from distildoc.core.teacher import Teacher
from distildoc.schema.errors import TapError
from distildoc.teach.live import Live

ModelOf = Callable[[int], Model]


def test_says_what_the_model_says_in_evaluation_mode(model_of: ModelOf, batch: Batch) -> None:
    model = model_of(0)
    with torch.no_grad():
        expected = model_of(0).eval()(batch.inputs)["logits"]
    model.train()
    assert torch.equal(Live(model)(batch).outputs["logits"], expected)


def test_is_a_teacher(model_of: ModelOf) -> None:
    assert isinstance(Live(model_of(0)), Teacher)


def test_running_it_leaves_statistics_and_weights_as_they_are(model_of: ModelOf, batch: Batch) -> None:
    model = model_of(0).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Live(model)(batch)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_nothing_it_says_carries_a_gradient(model_of: ModelOf, batch: Batch) -> None:
    view = Live(model_of(0), taps=("map",))(batch)
    assert not any(value.requires_grad for value in (*view.outputs.values(), *view.features.values()))


def test_without_outputs_the_forward_ends_at_the_deepest_tap(model_of: ModelOf, batch: Batch) -> None:
    model = model_of(0)
    ran = []
    for name in ("stages.0", "stages.1", "stages.2"):
        module = model.get_submodule(f"body.network.resnet.encoder.{name}")
        module.register_forward_pre_hook(lambda module, args, name=name: ran.append(name))
    view = Live(model, taps=("stage:0", "stage:1"), outputs=False)(batch)
    assert ran == ["stages.0", "stages.1"]
    assert not view.outputs
    assert set(view.features) == {"stage:0", "stage:1"}


def test_the_model_still_runs_whole_for_others(model_of: ModelOf, batch: Batch) -> None:
    model = model_of(0)
    teacher = Live(model, taps=("stage:0",), outputs=False)
    teacher(batch)
    assert model(batch.inputs)["logits"].shape == (4, 4)
    assert set(Live(model)(batch).outputs) == {"logits"}


def test_again_gives_the_gradient_to_the_pixels_and_none_to_the_weights(model_of: ModelOf, batch: Batch) -> None:
    model = model_of(0)
    teacher = Live(model, taps=("stage:0",), outputs=False)
    again = teacher(batch).again
    assert again is not None
    pixels = batch.inputs.clone().requires_grad_()
    again(pixels).outputs["logits"][:, 1].sum().backward()
    reference = model_of(0).eval()
    other = batch.inputs.clone().requires_grad_()
    reference(other)["logits"][:, 1].sum().backward()
    torch.testing.assert_close(pixels.grad, other.grad)
    assert all(p.grad is None for p in model.parameters())
    assert not teacher(batch).outputs, "the forward ends early again"


def test_fingerprint_follows_the_weights_and_not_the_taps(model_of: ModelOf) -> None:
    model = model_of(0)
    first, tapped, other = Live(model), Live(model, taps=("map",)), Live(model_of(1))
    assert first.fingerprint == tapped.fingerprint
    assert first.fingerprint != other.fingerprint
    with torch.no_grad():
        next(model.parameters())[0] += 1
    assert Live(model).fingerprint != first.fingerprint


def test_the_model_follows_the_pixels_to_their_device(model_of: ModelOf, batch: Batch) -> None:
    teacher = Live(model_of(0))
    assert teacher(batch.to("meta")).outputs["logits"].device.type == "meta"


def test_an_unknown_tap_is_an_error_at_once(model_of: ModelOf) -> None:
    with pytest.raises(TapError, match="closest: penultimate"):
        Live(model_of(0), taps=("penultimte",))
