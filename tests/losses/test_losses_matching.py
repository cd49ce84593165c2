"""losses.matching against every permutation, transformers' matcher and hand values."""

from itertools import permutations

import numpy as np
import pytest
import torch
from transformers.loss.loss_for_object_detection import generalized_box_iou

from distildoc.losses.boxes import xyxy
from distildoc.losses.matching import Weights, assign, match, most_certain

Said = tuple[torch.Tensor, torch.Tensor]


def said(queries: int, seed: int, *, pages: int = 2, classes: int = 3) -> Said:
    """Logits and boxes of a batch."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(pages, queries, classes, generator=generator)
    centre = 0.2 + 0.6 * torch.rand(pages, queries, 2, generator=generator)
    return logits, torch.cat([centre, 0.05 + 0.3 * torch.rand(pages, queries, 2, generator=generator)], -1)


def every(teacher: Said) -> torch.Tensor:
    return torch.ones_like(teacher[0][..., 0], dtype=torch.bool)


def test_assignment_has_the_smallest_sum_of_all_permutations() -> None:
    cost = np.random.default_rng(0).random((6, 6))
    rows, columns = assign(cost)
    best = min(sum(cost[row, column] for row, column in enumerate(order)) for order in permutations(range(6)))
    assert cost[rows, columns].sum() == pytest.approx(best)
    assert sorted(columns) == list(range(6))


@pytest.mark.parametrize("shape", [(5, 2), (2, 5), (4, 0), (0, 4)])
def test_the_smaller_side_is_paired_in_full(shape: tuple[int, int]) -> None:
    rows, columns = assign(np.random.default_rng(0).random(shape))
    assert len(rows) == len(columns) == min(shape)


def test_costs_that_are_not_finite_are_paired_last() -> None:
    rows, columns = assign(np.array([[np.nan, 5.0], [1.0, np.inf]]))
    assert list(zip(rows, columns, strict=True)) == [(0, 1), (1, 0)]


def test_matches_cost_the_least_by_the_formula() -> None:
    teacher, student = said(4, 0), said(5, 1)
    found = match(teacher, student, chosen=every(teacher), weights=Weights())
    for page in range(2):
        p, z = teacher[0][page].sigmoid().double().numpy(), student[0][page].double().numpy()
        entropy = (np.logaddexp(0, z)[:, None] - z[:, None] * p[None]).sum(-1)
        distance = np.abs(student[1][page][:, None].numpy() - teacher[1][page][None].numpy()).sum(-1)
        overlap = generalized_box_iou(xyxy(student[1][page]), xyxy(teacher[1][page])).numpy()
        cost = entropy + 5 * distance + 2 * (1 - overlap)
        best = min(permutations(range(5), 4), key=lambda order: sum(cost[row, i] for i, row in enumerate(order)))
        rows = found.pages == page
        pairs = set(zip(found.teachers[rows].tolist(), found.students[rows].tolist(), strict=True))
        assert pairs == set(enumerate(best))


def test_a_student_that_agrees_is_matched_with_itself() -> None:
    teacher = said(40, 0)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    chosen = most_certain(*teacher, top=15, threshold=0.0)
    found = match(teacher, (teacher[0][:, order], teacher[1][:, order]), chosen=chosen, weights=Weights())
    assert len(found.pages) == 30
    assert torch.equal(order[found.students], found.teachers)


def test_a_student_with_fewer_queries_gets_as_many_pairs_as_it_has() -> None:
    teacher, student = said(9, 0), said(4, 1)
    found = match(teacher, student, chosen=every(teacher), weights=Weights())
    assert found.pages.tolist() == [0] * 4 + [1] * 4
    assert sorted(found.students[:4].tolist()) == [0, 1, 2, 3]


def test_no_pages_of_a_batch_need_have_a_chosen_query() -> None:
    teacher, student = said(4, 0), said(5, 1)
    nothing = torch.zeros_like(every(teacher))
    assert all(
        part.shape == (0,) and part.dtype == torch.int64
        for part in match(teacher, student, chosen=nothing, weights=Weights())
    )
    nothing[1, 2] = True
    found = match(teacher, student, chosen=nothing, weights=Weights())
    assert (found.pages.tolist(), found.teachers.tolist()) == ([1], [2])


def test_the_most_certain_reach_the_threshold_and_have_an_area() -> None:
    logits = torch.tensor([[[2.0, -9.0], [-9.0, 3.0], [1.0, 0.0], [-5.0, -5.0], [9.0, 9.0]]])
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.2]] * 4 + [[0.5, 0.5, 0.0, 0.0]]])
    assert most_certain(logits, boxes, top=9, threshold=0.0).tolist() == [[True, True, True, True, False]]
    assert most_certain(logits, boxes, top=2, threshold=0.0).tolist() == [[True, True, False, False, False]]
    assert most_certain(logits, boxes, top=9, threshold=0.8).tolist() == [[True, True, False, False, False]]


def test_half_precision_finds_the_same_pairs_as_its_values_in_fp32() -> None:
    teacher, student = (tuple(part.bfloat16() for part in said(12, seed)) for seed in (0, 1))
    full = [tuple(part.float() for part in side) for side in (teacher, student)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = match(teacher, student, chosen=every(teacher), weights=Weights())
    expected = match(*full, chosen=every(teacher), weights=Weights())
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
