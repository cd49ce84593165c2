"""models.levels: which maps of two pyramids meet."""

import torch

from distildoc.core.view import View
from distildoc.models.grids import Grid
from distildoc.models.levels import Level, nearest


def levels(*sides: int) -> list[Level]:
    return [Level(f"level:{i}", Grid(), (8, side, side)) for i, side in enumerate(sides)]


def met(student: list[Level], teacher: list[Level]) -> list[tuple[int, int]]:
    return [(a.shape[1], b.shape[1]) for a, b in nearest(student, teacher)]


def test_as_many_levels_meet_in_order_whatever_their_sizes() -> None:
    assert met(levels(40, 20, 10), levels(80, 40, 20)) == [(40, 80), (20, 40), (10, 20)]


def test_other_numbers_of_levels_meet_where_they_are_each_others_nearest() -> None:
    assert met(levels(20, 10), levels(40, 20, 10)) == [(20, 20), (10, 10)]
    assert met(levels(40, 20, 10), levels(20, 10)) == [(20, 20), (10, 10)]
    assert met(levels(80, 40, 20, 10, 5), levels(40, 20, 10)) == [(40, 40), (20, 20), (10, 10)]


def test_two_pyramids_always_meet_somewhere() -> None:
    assert met(levels(4), levels(100, 50)) == [(4, 50)]


def test_a_level_lays_tokens_out_on_the_page() -> None:
    tokens = torch.arange(1 * 7 * 2).reshape(1, 7, 2)
    level = Level("map", Grid(skip=1, aspect=1.5), (2, 3, 2))
    assert level.of(View({}, {"map": tokens}))[0, 0].tolist() == [[2, 4], [6, 8], [10, 12]]
