"""methods.masked_image against NumPy, and what must not leak."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.masked_image import GREY, MaskedImage, build
from distildoc.schema.errors import ConfigError
from distildoc.teach.distiller import Distiller

CLOCK = Clock(3, 10, 0.0)
PairOf = Callable[..., Pair]


def method_of(pair: Pair, **settings: object) -> MaskedImage:
    method = build(pair, **settings)  # type: ignore[arg-type]
    assert isinstance(method, MaskedImage)
    return method


@pytest.mark.parametrize("network", ["cnn", "vit"])
def test_equals_the_mean_absolute_error_of_hidden_pixels_in_numpy(network: str, pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of(network, "none")
    method = method_of(pair, patch=8)
    seen: list[Tensor] = []
    _, rows, columns = method.grid.shape(pair.student_shape("map"))
    feature = torch.randn(len(batch), *pair.student_shape("map"), generator=torch.Generator().manual_seed(1))

    def again(pixels: Tensor) -> View:
        seen.append(pixels)
        return View({}, {"map": feature})

    found = method(View({}, {}, again), View({}), batch, CLOCK)["l1"]
    hidden = method.hidden(batch, CLOCK).numpy()
    cells = method.grid(feature).detach().numpy()
    weight, bias = (p.detach().numpy() for p in method.decoder.parameters())
    said = np.einsum("oc,bchw->bohw", weight[:, :, 0, 0], cells) + bias[:, None, None]
    side = method.cell
    picture = said.reshape(len(batch), 3, side, side, rows, columns).transpose(0, 1, 4, 2, 5, 3)
    picture = picture.reshape(len(batch), 3, rows * side, columns * side)
    every = np.broadcast_to(hidden, picture.shape)
    assert found.item() == pytest.approx(np.abs(picture - batch.inputs.numpy())[every].mean(), rel=1e-5)


def test_hidden_pixels_never_reach_the_student(pair_of: PairOf, batch: Batch) -> None:
    method = method_of(pair_of("cnn", "none"), patch=8)
    hidden = method.hidden(batch, CLOCK)
    other = replace(batch, inputs=torch.where(hidden, torch.rand_like(batch.inputs), batch.inputs))
    given: list[Tensor] = []

    def again(pixels: Tensor) -> View:
        given.append(pixels)
        feature = torch.zeros(len(batch), *pair_of("cnn", "none").student_shape("map"))
        return View({}, {"map": feature})

    for one in (batch, other):
        method(View({}, {}, again), View({}), one, CLOCK)
    assert torch.equal(given[0], given[1])
    assert (given[0][hidden.expand_as(given[0])] == GREY).all()


def test_the_share_of_hidden_squares_is_the_ratio(pair_of: PairOf, batch: Batch) -> None:
    hidden = method_of(pair_of("cnn", "none"), patch=8, ratio=0.25).hidden(batch, CLOCK)
    squares = batch.inputs.shape[2] * batch.inputs.shape[3] // 64
    assert hidden.flatten(1).sum(1).tolist() == [64 * round(0.25 * squares)] * len(batch)


def test_squares_change_from_step_to_step_and_page_to_page_and_repeat_when_asked_again(
    pair_of: PairOf, batch: Batch
) -> None:
    method = method_of(pair_of("cnn", "none"), patch=8)
    first = method.hidden(batch, CLOCK)
    assert torch.equal(first, method.hidden(batch, CLOCK))
    assert not torch.equal(first, method.hidden(batch, Clock(4, 10, 0.0)))
    assert not torch.equal(first[0], first[1])
    turned = batch.select(torch.arange(len(batch) - 1, -1, -1))
    assert torch.equal(method.hidden(turned, CLOCK), first.flip(0))


def test_the_body_learns_and_the_head_does_not(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "none")
    distiller = Distiller(pair.student, [Term("masked_image", method_of(pair, patch=8), constant(1.0))])
    total, _ = distiller(batch, None, CLOCK)
    total.backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in pair.student.body.parameters())
    assert all(p.grad is None for p in pair.student.head.parameters())


@pytest.mark.parametrize("network", ["cnn", "vit"])
def test_what_is_hidden_is_told_from_what_is_left(network: str, pair_of: PairOf) -> None:
    """Pages of one grey level each, even in 0..1: whoever does not look at the rest is off by 1/4 at best."""
    pair = pair_of(network, "none")
    torch.manual_seed(0)
    distiller = Distiller(pair.student, [Term("masked_image", method_of(pair, patch=8), constant(1.0))])
    optimiser = torch.optim.Adam(distiller.parameters(), lr=5e-3)
    levels = torch.rand(80, 16, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    losses = []
    for step, level in enumerate(levels):
        keys = tuple(Key(f"page{number}", step) for number in range(16))
        total, _ = distiller(Batch(level.expand(16, 3, *pair.size), {}, keys), None, Clock(step, 80, 0.0))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(total.item())
    assert np.mean(losses[-20:]) < 0.15  # 320 pages of levels, and squares, that it had not seen


def test_a_patch_that_does_not_divide_the_page_is_one_line(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match=r"`patch` 7 does not cut pages of"):
        build(pair_of("cnn", "none"), patch=7)
