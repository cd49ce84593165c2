"""methods.bss: the way to the boundary against a linear network's, bases and classes against NumPy."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch.nn import functional

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Term
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.bss import BoundarySamples, build, to_boundary
from distildoc.schema.errors import ConfigError
from distildoc.teach.cached import Cached
from distildoc.teach.check import check_terms
from distildoc.teach.distiller import Distiller
from distildoc.teach.live import Live

CLOCK = Clock(3, 10, 0.0)
PairOf = Callable[..., Pair]


def built(pair: Pair, **settings: object) -> BoundarySamples:
    method = build(pair, **settings)  # type: ignore[arg-type]
    assert isinstance(method, BoundarySamples)
    return method


def linear(pixels: torch.Tensor) -> View:
    """Three classes by the mean of a colour, times 6."""
    return View({"logits": 6 * pixels.mean((2, 3))})


def page(red: float, green: float, blue: float) -> torch.Tensor:
    return torch.tensor([red, green, blue])[None, :, None, None].expand(1, 3, 2, 2).clone()


def test_one_step_towards_the_boundary_is_the_hand_value() -> None:
    start = page(0.6, 0.4, 0.1)
    found = to_boundary(linear, start, torch.tensor([0]), torch.tensor([1]), steps=1, size=0.3)
    # the gradient of z_1 - z_0 is -1.5 on four red pixels and 1.5 on four green ones; m = 6 x 0.2
    step = 0.3 * (1.2 + 1e-4) * 1.5 / (8 * 1.5**2) ** 0.5
    torch.testing.assert_close(found, page(0.6 - step, 0.4 + step, 0.1))


def test_a_page_stops_where_the_network_says_another_class() -> None:
    start = torch.cat([page(0.6, 0.5, 0.1), page(0.9, 0.2, 0.1)])
    label, target = torch.tensor([0, 0]), torch.tensor([1, 1])
    few, many = (to_boundary(linear, start, label, target, steps=steps, size=1.0) for steps in (1, 50))
    assert linear(few).outputs["logits"].argmax(1).tolist() == [1, 1]
    assert torch.equal(few, many)


def test_pixels_stay_within_their_range() -> None:
    start = page(0.9, 0.0, 0.0)
    found = to_boundary(linear, start, torch.tensor([0]), torch.tensor([1]), steps=10, size=5.0)
    assert found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("network", ["cnn", "vit"])
def test_samples_are_nearer_to_the_boundary_than_their_bases_and_most_cross_it(network: str, pair_of: PairOf) -> None:
    teacher = pair_of("cnn", network).teacher
    assert teacher is not None
    label = torch.arange(24) % 5
    pixels = torch.rand(24, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for row, kind in enumerate(label.tolist()):
        pixels[row, :, 6 * kind : 6 * kind + 6] *= 0.3  # a darker band, lower down in every class
    optimiser = torch.optim.Adam(teacher.train().parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        functional.cross_entropy(teacher(pixels)["logits"], label).backward()
        optimiser.step()
    batch = Batch(pixels, {}, tuple(Key(f"page{i}", 0) for i in range(24)))
    view = Live(teacher)(batch)
    assert view.again is not None
    before = view.outputs["logits"]
    assert (before.argmax(1) == label).float().mean() > 0.9
    target = before.scatter(1, label[:, None], -torch.inf).argmax(1)
    after = view.again(to_boundary(view.again, pixels, label, target, steps=10, size=0.3)).outputs["logits"]
    margins = [(z.gather(1, label[:, None]) - z.gather(1, target[:, None])).squeeze(1) for z in (before, after)]
    right = before.argmax(1) == label
    assert (margins[1] < margins[0])[right].all()
    assert (after.argmax(1) != label)[right].float().mean() > 0.5


def test_bases_are_right_in_both_networks_and_farthest_apart_over_the_other_classes(pair_of: PairOf) -> None:
    generator = torch.Generator().manual_seed(0)
    teacher, student = torch.randn(2, 40, 5, dtype=torch.float64, generator=generator)
    label = teacher.argmax(1)
    label[::4] = (label[::4] + 1) % 5  # a quarter of the pages, the teacher gets wrong
    p, q = softmax(teacher.numpy(), -1), softmax(student.numpy(), -1)
    apart = (p - q) ** 2
    apart[np.arange(40), label.numpy()] = 0
    right = (p.argmax(1) == label.numpy()) & (q.argmax(1) == label.numpy())
    order = [row for row in np.argsort(-apart.sum(1)) if right[row]]
    assert len(order) > 3
    assert built(pair_of(), most=3).bases(teacher, student, label).tolist() == order[:3]
    assert sorted(built(pair_of()).bases(teacher, student, label).tolist()) == sorted(order)
    assert len(built(pair_of(), base="teacher").bases(teacher, student, label)) == 30


def test_classes_are_drawn_as_the_teacher_believes_in_them(pair_of: PairOf) -> None:
    logits = torch.tensor([[5.0, 2.0, 1.0, -3.0]]).expand(3000, 4)
    label = torch.zeros(3000, dtype=torch.int64)
    pages = Batch(torch.zeros(3000, 1), {}, tuple(Key(f"page{i}", 0) for i in range(3000)))
    drawn = built(pair_of()).targets(logits, label, pages, CLOCK)
    shares = np.bincount(drawn.numpy(), minlength=4) / 3000
    expected = np.exp([2.0, 1.0, -3.0]) / np.exp([2.0, 1.0, -3.0]).sum()
    assert shares[0] == 0
    assert shares[1:] == pytest.approx(expected, abs=0.03)


def test_loss_is_the_divergence_on_the_samples_in_numpy(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    method = built(pair, base="teacher", temperature=3.0)
    teacher = Live(pair.teacher)(batch)
    batch = replace(batch, targets={"label": teacher.outputs["logits"].argmax(1)})
    term = Term("bss", method, constant(1.0))
    distiller = Distiller(pair.student.eval(), [term]).eval()
    found = distiller(batch, teacher, CLOCK)[1]["bss"]
    rows = method.bases(teacher.outputs["logits"], pair.student(batch.inputs)["logits"], batch.targets["label"])
    chosen = batch.select(rows)
    target = method.targets(teacher.outputs["logits"][rows], chosen.targets["label"], chosen, CLOCK)
    assert teacher.again is not None
    moved = to_boundary(teacher.again, chosen.inputs, chosen.targets["label"], target, steps=10, size=0.3)
    with torch.no_grad():
        wanted, said = (model(moved)["logits"].double().numpy() / 3 for model in (pair.teacher, pair.student))
    apart = (softmax(wanted, -1) * (log_softmax(wanted, -1) - log_softmax(said, -1))).sum(-1)
    assert found.item() == pytest.approx(9 * apart.mean(), rel=1e-3)


def test_without_a_base_the_loss_is_zero(pair_of: PairOf, batch: Batch) -> None:
    pair = pair_of("cnn", "cnn")
    assert pair.teacher is not None
    teacher = Live(pair.teacher)(batch)
    wrong = (teacher.outputs["logits"].argmax(1) + 1) % 5
    distiller = Distiller(pair.student, [Term("bss", built(pair), constant(1.0))])
    total, _ = distiller(replace(batch, targets={"label": wrong}), teacher, CLOCK)
    total.backward()
    assert total.item() == 0


def test_a_cached_teacher_is_refused(pair_of: PairOf) -> None:
    pair = pair_of("cnn", "cnn")
    distiller = Distiller(pair.student, [Term("bss", built(pair), constant(1.0))])
    cached = object.__new__(Cached)  # only what the check reads: a cache is never live
    with pytest.raises(ConfigError, match="which a cache cannot answer"):
        check_terms(distiller, cached)
