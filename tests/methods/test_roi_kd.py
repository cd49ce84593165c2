"""methods.roi_kd against its formula in NumPy, and the second stage's answers against each other."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.taps import Taps
from distildoc.core.view import View
from distildoc.methods.roi_kd import RoiKD, build
from distildoc.models.detectors.lent import reordered_rcnn
from distildoc.models.detectors.rcnn.head import RcnnHead
from distildoc.schema.errors import ConfigError
from distildoc.teach.live import Live

CLOCK = Clock(0, 1, 0.0)
TAP = "head.rois"
PairOf = Callable[..., Pair]


def said(pages: int, rows: int, classes: int, *, missing: int = 0) -> Tensor:
    """What a teacher says of its proposals, the last ones of each page being none."""
    draw = torch.Generator().manual_seed(0)
    rois = torch.randn(pages, rows, classes + 9, generator=draw)
    rois[..., :4] = torch.rand(pages, rows, 4, generator=draw) + 0.1
    rois[:, rows - missing :, :4] = torch.tensor([0.5, 0.5, 0.0, 0.0])
    return rois


def by_hand(rois: Tensor, logits: Tensor, offsets: Tensor, temperature: float, kept: int) -> tuple[float, float]:
    """The two formulas of the docstring, box by box."""

    def softmax(values: np.ndarray) -> np.ndarray:
        powers = np.exp((values - values.max()) / temperature)
        return np.asarray(powers / powers.sum())

    classes, boxes = [], []
    for page in range(len(rois)):
        for row in range(kept):
            z = rois[page, row, 4:-4].double().numpy()
            p, q = softmax(z), softmax(logits[page, row].double().numpy())
            classes.append(temperature**2 * float((p * (np.log(p) - np.log(q))).sum()))
            best = int(z[:-1].argmax())
            plain = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
            off = np.abs(rois[page, row, -4:].double().numpy() - offsets[page, row, best].double().numpy()).sum()
            boxes.append(float((1 - plain[-1]) * off))
    return float(np.mean(classes)), float(np.mean(boxes))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_both_losses_are_the_formula_over_proposals_that_are_there(temperature: float, layout_batch: Batch) -> None:
    rois = said(2, 5, 3, missing=2)
    draw = torch.Generator().manual_seed(1)
    logits, offsets = torch.randn(2, 5, 4, generator=draw), torch.randn(2, 5, 3, 4, generator=draw)
    student = View({"rois/logits": logits, "rois/offsets": offsets})
    method = RoiKD(temperature, top=100, tap=TAP, columns=(0, 1, 2))
    losses = method(student, View({}, {TAP: rois}), layout_batch, CLOCK)
    expected = by_hand(rois, logits, offsets, temperature, kept=3)
    assert [losses[name].item() for name in ("class", "box")] == pytest.approx(expected, rel=1e-5)


def test_the_surest_proposals_join_the_targets(layout_batch: Batch) -> None:
    rois = said(5, 6, 4)
    found = RoiKD(1.0, top=2, tap=TAP, columns=(0, 1, 2, 3)).relabel(layout_batch, View({}, {TAP: rois}))
    assert torch.equal(found.targets["rois"], rois[:, :2, :4])
    assert all(torch.equal(found.targets[name], value) for name, value in layout_batch.targets.items())


def test_a_second_term_of_its_kind_is_refused(layout_batch: Batch) -> None:
    view = View({}, {TAP: said(5, 6, 4)})
    method = RoiKD(1.0, top=2, tap=TAP, columns=(0, 1, 2, 3))
    with pytest.raises(ConfigError, match="two terms give the student boxes to look at; keep one"):
        method.relabel(method.relabel(layout_batch, view), view)


def test_a_student_like_its_teacher_says_the_same_of_its_proposals(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    """Teacher's answers come from its own forward, the student's from boxes that were handed to it."""
    pair = layout_pair_of("r-cnn", "r-cnn")
    assert pair.teacher is not None
    student = deepcopy(pair.teacher).eval()
    method = build(replace(pair, student=student))
    teacher = Live(pair.teacher, taps=method.needs.teacher_taps)(layout_batch)
    assert (teacher.features[TAP][..., 2:4] > 0).all(-1).any(1).all()  # proposals on every page
    assert isinstance(method, RoiKD)
    batch = method.relabel(layout_batch, teacher)
    view = Taps(student, ())(batch.inputs, batch.targets)
    losses = method(view, teacher, batch, CLOCK)
    assert all(loss.item() == pytest.approx(0, abs=1e-5) for loss in losses.values())


def test_classes_in_another_order_are_put_in_the_students(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    pair = layout_pair_of("r-cnn", "r-cnn")
    teacher = pair.teacher
    assert teacher is not None
    assert isinstance(teacher.head, RcnnHead)
    turned = deepcopy(teacher)
    columns = [*range(1, len(teacher.labels)), 0]
    turned.labels = tuple(teacher.labels[i] for i in columns)
    turned.head = reordered_rcnn(teacher.head, columns).eval()
    found = []
    for one in (teacher, turned):
        method = build(replace(pair, teacher=one))
        view = Live(one, taps=method.needs.teacher_taps)(layout_batch)
        assert isinstance(method, RoiKD)
        batch = method.relabel(layout_batch, view)
        torch.manual_seed(0)
        student = Taps(pair.student, ())(batch.inputs, batch.targets)
        found.append(method(student, view, batch, CLOCK))
    assert found[0]["class"].item() > 0
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value)


def test_a_page_without_proposals_adds_nothing(layout_batch: Batch) -> None:
    rois = said(2, 4, 3)
    rois[1, :, :4] = torch.tensor([0.5, 0.5, 0.0, 0.0])
    student = View({"rois/logits": torch.zeros(2, 4, 4), "rois/offsets": torch.zeros(2, 4, 3, 4)})
    method = RoiKD(1.0, top=4, tap=TAP, columns=(0, 1, 2))
    both = method(student, View({}, {TAP: rois}), layout_batch, CLOCK)
    first = method(
        View({name: values[:1] for name, values in student.outputs.items()}),
        View({}, {TAP: rois[:1]}),
        layout_batch,
        CLOCK,
    )
    assert both["class"].item() == pytest.approx(first["class"].item() / 2)


def test_other_classes_and_other_detectors_are_refused_in_a_line(layout_pair_of: PairOf) -> None:
    pair = layout_pair_of("r-cnn", "r-cnn")
    assert pair.teacher is not None
    pair.teacher.labels = ("other", *pair.teacher.labels[1:])
    with pytest.raises(ConfigError, match=r"only one of both models has .*'other'.*pseudo_labels"):
        build(pair)
    with pytest.raises(ConfigError, match=r"the student has none .*query_kd"):
        build(layout_pair_of("d-fine", "r-cnn"))
    with pytest.raises(ConfigError, match="the teacher has none"):
        build(layout_pair_of("r-cnn", "d-fine"))
