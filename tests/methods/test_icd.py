"""methods.icd: who learns from what, what is drawn, and the attention against NumPy."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.icd import ICD, build
from distildoc.models.instances import InstanceDecoder, drawn_instances, places_of, waves
from distildoc.schema.errors import ConfigError

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]


def made(pair: Pair) -> ICD:
    torch.manual_seed(0)
    method = build(pair, hidden=32)
    assert isinstance(method, ICD)
    return method


def views() -> tuple[View, View]:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (
        {f"level:{i}": torch.randn(5, width, side, side, generator=generator) for i, side in enumerate((8, 4, 2))}
        for width in (32, 48)
    )
    return View({}, student), View({}, teacher)


def draw(batch: Batch, step: int = 0, fakes: float = 1.0):  # type: ignore[no-untyped-def]
    known = batch.targets["origin"] != 0
    boxes, classes = batch.targets["boxes"], batch.targets["classes"]
    return drawn_instances(boxes, classes, known, batch.keys, step=step, fakes=fakes, labels=4)


def test_attention_and_what_is_decoded_equal_numpy() -> None:
    torch.manual_seed(0)
    decoder = InstanceDecoder(8, 2).double()
    queries, cells, places = torch.randn(1, 3, 8).double(), torch.randn(1, 5, 8).double(), torch.randn(5, 8).double()

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        layer = decoder.get_submodule(name)
        return x @ layer.get_parameter("weight").detach().numpy().T + layer.get_parameter("bias").detach().numpy()

    q = linear("query", queries[0].numpy()).reshape(3, 2, 4).transpose(1, 0, 2)
    k = linear("key", cells[0].numpy() + linear("place", places.numpy())).reshape(5, 2, 4).transpose(1, 0, 2)
    v = linear("value", cells[0].numpy()).reshape(5, 2, 4).transpose(1, 0, 2)
    scores = np.exp(q @ k.transpose(0, 2, 1) / 2)
    weights = scores / scores.sum(-1, keepdims=True)
    _, attention, values = decoder(queries, cells, places)
    np.testing.assert_allclose(attention[0].detach().numpy(), weights, rtol=1e-9)
    np.testing.assert_allclose(values[0].detach().numpy(), v, rtol=1e-9)


def test_the_student_learns_from_the_difference_alone_and_the_decoder_from_the_tasks_alone(
    layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    method = made(layout_pair_of())
    student, teacher = views()
    for feature in student.features.values():
        feature.requires_grad_()
    losses = method(student, teacher, layout_batch, CLOCK)
    inside = [*method.queries.parameters(), *method.decoder.parameters(), *method.cells.parameters()]
    outside = [*student.features.values(), *method.values.parameters()]
    from_difference = torch.autograd.grad(losses["distil"], inside + outside, allow_unused=True, retain_graph=True)
    from_tasks = torch.autograd.grad(losses["identify"] + losses["locate"], inside + outside, allow_unused=True)
    assert [g is None for g in from_difference] == [True] * len(inside) + [False] * len(outside)
    assert [g is None for g in from_tasks] == [False] * len(inside) + [True] * len(outside)


def test_a_page_has_as_many_made_up_regions_as_real_ones_and_at_least_one(layout_batch: Batch) -> None:
    found = draw(layout_batch)
    assert found.real.sum(1).tolist() == [2, 0, 0, 3, 1]
    assert found.present.sum(1).tolist() == [4, 1, 0, 6, 2]
    assert draw(layout_batch, fakes=2.0).present.sum(1).tolist() == [6, 1, 0, 9, 3]
    sizes = {tuple(size) for size in layout_batch.targets["boxes"][3, :, 2:].tolist()}
    assert {tuple(size) for size in found.boxes_cxcywh[3, :, 2:].tolist()} <= sizes


def test_what_is_drawn_depends_on_page_and_step_alone(layout_batch: Batch) -> None:
    found, later = draw(layout_batch), draw(layout_batch, step=1)
    turned = draw(layout_batch.select(torch.tensor([3, 0])))
    assert torch.equal(turned.boxes_cxcywh[0, :6], found.boxes_cxcywh[3, :6])
    assert torch.equal(turned.centres[1, :4], found.centres[0, :4])
    assert not torch.equal(later.centres[0], found.centres[0])
    renamed = replace(layout_batch, keys=tuple(Key("other", 0) for _ in layout_batch.keys))
    assert not torch.equal(draw(renamed).centres[0], found.centres[0])


def test_rough_centres_stay_inside_their_boxes(layout_batch: Batch) -> None:
    for step in range(20):
        found = draw(layout_batch, step=step)
        off = (found.centres - found.boxes_cxcywh[..., :2]).abs()
        assert (off <= 0.3 * found.boxes_cxcywh[..., 2:] + 1e-6).all()
        edges = found.boxes_cxcywh[..., :2] + found.boxes_cxcywh[..., 2:] / 2
        assert (edges <= 1 + 1e-6).all()


def test_places_are_waves_of_cell_centres_row_after_row() -> None:
    found = places_of([(2, 3), (1, 1)], 8, torch.device("cpu"))
    assert found.shape == (7, 8)
    expected = torch.cat([waves(torch.tensor(0.75), 4), waves(torch.tensor(0.5), 4)])  # second row, middle column
    torch.testing.assert_close(found[4], expected)
    np.testing.assert_allclose(waves(torch.tensor(0.25), 2).numpy(), [1, 0], atol=1e-6)  # a quarter of one wave


def test_pages_without_boxes_add_nothing(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    method = made(layout_pair_of())
    student, teacher = views()
    losses = method(student, teacher, layout_batch, CLOCK)
    changed = View({}, {name: f.index_fill(0, torch.tensor([2]), 9.0) for name, f in student.features.items()})
    again = method(changed, teacher, layout_batch, CLOCK)
    assert all(loss.item() == pytest.approx(again[name].item(), rel=1e-6) for name, loss in losses.items())


def test_regions_with_scores_are_refused(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    scores = torch.full_like(layout_batch.targets["classes"], 0.5, dtype=torch.float32)
    scored = replace(layout_batch, targets={**layout_batch.targets, "scores": scores})
    with pytest.raises(ConfigError, match="icd takes every region for certain"):
        made(layout_pair_of())(*views(), scored, CLOCK)
