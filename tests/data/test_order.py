"""The order of an epoch and the shares of the processes."""

import pytest

from distildoc.data.order import epoch_order, shares, step_scale
from distildoc.schema.errors import InputError


def flat(ranges: list[range]) -> list[int]:
    return [position for part in ranges for position in part]


def test_an_epoch_shows_every_page_once_in_an_order_of_its_own() -> None:
    orders = [epoch_order(50, seed=7, epoch=epoch, shuffle=True) for epoch in range(4)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert orders[2] == epoch_order(50, seed=7, epoch=2, shuffle=True)
    assert orders[2] != epoch_order(50, seed=8, epoch=2, shuffle=True)


def test_without_shuffling_pages_come_as_they_stand() -> None:
    assert epoch_order(4, seed=7, epoch=3, shuffle=False) == [0, 1, 2, 3]


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("world", [2, 3])
def test_processes_together_see_what_one_with_a_larger_batch_sees(world: int, drop_last: bool) -> None:
    many = shares(100, batch=4, world=world, drop_last=drop_last)
    (one,) = shares(100, batch=4 * world, world=1, drop_last=drop_last)
    steps = [flat([steps[step] for steps in many]) for step in range(len(many[0]))]
    assert steps == [list(step) for step in one]


@pytest.mark.parametrize("count", range(6, 60))
def test_every_process_gets_equally_many_batches_and_no_page_is_lost_or_doubled(count: int) -> None:
    parts = shares(count, batch=4, world=3, drop_last=False)
    assert len({len(steps) for steps in parts}) == 1
    assert sorted(position for steps in parts for position in flat(steps)) == list(range(count))
    assert all(1 <= len(step) <= 4 for steps in parts for step in steps)


def test_drop_last_gives_full_batches_only() -> None:
    parts = shares(59, batch=4, world=3, drop_last=True)
    assert [[len(step) for step in steps] for steps in parts] == [[4] * 4] * 3


def test_fewer_pages_than_processes_are_refused() -> None:
    with pytest.raises(InputError, match="2 pages in batches of 4 cannot give each of 3 processes"):
        shares(2, batch=4, world=3, drop_last=False)


def test_scales_are_drawn_evenly_and_differently_for_every_seed_epoch_and_step() -> None:
    drawn = [step_scale((320, 384, 448), seed=1, epoch=2, step=step) for step in range(300)]
    assert {drawn.count(scale) // 70 for scale in (320, 384, 448)} == {1}  # 100 each, give or take
    assert drawn == [step_scale((320, 384, 448), seed=1, epoch=2, step=step) for step in range(300)]
    assert drawn != [step_scale((320, 384, 448), seed=1, epoch=3, step=step) for step in range(300)]
    assert drawn != [step_scale((320, 384, 448), seed=2, epoch=2, step=step) for step in range(300)]
