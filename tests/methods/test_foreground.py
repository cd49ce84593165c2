"""methods.foreground: hand values of its parts, and whose boxes count."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.foreground import attended
from distildoc.methods.foreground import Foreground, build
from distildoc.schema.errors import ConfigError

CLOCK = Clock(0, 1, 0.0)
PairOf = Callable[..., Pair]
SIDES = (8, 4, 2)


def made(pair: Pair, unlabelled: Literal["teacher", "skip"] = "skip") -> Foreground:
    """The method with adapters that pass the first 32 of the teacher's 48 channels' worth."""
    torch.manual_seed(0)
    method = build(pair, unlabelled=unlabelled)
    assert isinstance(method, Foreground)
    return method


def views(pages: int = 5, **outputs: Tensor) -> tuple[View, View]:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (
        {f"level:{i}": torch.randn(pages, width, side, side, generator=generator) for i, side in enumerate(SIDES)}
        for width in (32, 48)
    )
    return View({}, student), View(outputs, teacher)


def adapted(method: Foreground, student: View) -> list[Tensor]:
    return [adapter(student.features[f"level:{i}"]).detach() for i, adapter in enumerate(method.adapters)]


def test_a_page_with_one_box_gives_the_mean_inside_and_the_mean_outside(
    layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    method = made(layout_pair_of())
    student, teacher = views(1)
    batch = layout_batch.select(torch.tensor([4]))  # a box from 0.15 to 0.65 across and 0.4 to 0.8 down
    losses = method(student, teacher, batch, CLOCK)
    inside, outside = [], []
    for i, (side, mine) in enumerate(zip(SIDES, adapted(method, student), strict=True)):
        difference = attended(teacher.features[f"level:{i}"], mine, temperature=0.5)[0].numpy()
        mask = np.zeros((side, side), bool)
        low_x, high_x = int(0.15 * side), int(np.ceil(0.65 * side))
        low_y, high_y = int(0.4 * side), int(np.ceil(0.8 * side))
        mask[low_y:high_y, low_x:high_x] = True
        inside.append(difference[mask].mean())
        outside.append(difference[~mask].mean() if not mask.all() else 0.0)
    assert losses["foreground"].item() == pytest.approx(np.mean(inside), rel=1e-5)
    assert losses["background"].item() == pytest.approx(0.5 * np.mean(outside), rel=1e-5)


def test_pages_of_unknown_layout_add_nothing_where_they_are_skipped(
    layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    method = made(layout_pair_of())
    student, teacher = views()
    assert not method.needs.teacher_outputs
    losses = method(student, teacher, layout_batch, CLOCK)
    other = View({}, {name: f.index_fill(0, torch.tensor([2]), 9.0) for name, f in student.features.items()})
    again = method(other, teacher, layout_batch, CLOCK)
    assert all(torch.equal(losses[name], again[name]) for name in losses)


def test_confident_boxes_of_the_teacher_stand_in_where_the_layout_is_unknown(
    layout_pair_of: PairOf, layout_batch: Batch
) -> None:
    method = made(layout_pair_of(), "teacher")
    assert method.needs.teacher_outputs
    known = layout_batch.select(torch.tensor([4]))
    unknown = replace(known, targets={**known.targets, "origin": torch.zeros(1).long(), "classes": -torch.ones(1, 3)})
    logits = torch.tensor([[[-9.0, 2.0, -9.0, -9.0], [-9.0, -9.0, -2.0, -9.0]]])  # scores 0.88 and 0.12; thresholds 0.2
    boxes = torch.stack([known.targets["boxes"][:, 0], torch.tensor([[0.9, 0.1, 0.2, 0.2]])], 1)
    student, teacher = views(1, logits=logits, boxes=boxes)
    expected, found = (method(student, teacher, batch, CLOCK) for batch in (known, unknown))
    for name in expected:
        torch.testing.assert_close(found[name], expected[name])


def test_a_score_without_a_chosen_threshold_is_the_setting(layout_pair_of: PairOf) -> None:
    pair = replace(layout_pair_of(), thresholds={"Table": 0.6})
    method = build(pair, threshold=0.3)
    assert isinstance(method, Foreground) and method.thresholds is not None
    assert method.thresholds.tolist() == pytest.approx([0.3, 0.3, 0.6, 0.3])


def test_a_student_that_agrees_has_zero_loss(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    method = made(layout_pair_of())
    method.adapters = nn.ModuleList(nn.Identity() for _ in SIDES)
    _, teacher = views()
    assert all(loss.item() == 0 for loss in method(teacher, teacher, layout_batch, CLOCK).values())


def test_classifiers_are_refused_with_the_reason(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match=r"'foreground' compares the pyramids of detectors, and the student .* none"):
        build(pair_of())


def test_regions_with_scores_are_refused(layout_pair_of: PairOf, layout_batch: Batch) -> None:
    scores = torch.full_like(layout_batch.targets["classes"], 0.5, dtype=torch.float32)
    scored = replace(layout_batch, targets={**layout_batch.targets, "scores": scores})
    with pytest.raises(ConfigError, match="foreground takes every region for certain"):
        made(layout_pair_of())(*views(), scored, CLOCK)
