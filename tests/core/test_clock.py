"""Schedules at hand-worked points."""

import pytest

from distildoc.core.clock import Clock, constant, decay, linear, sigmoid


def test_linear_reaches_its_end_at_the_given_share_and_stays() -> None:
    weight = linear(2.0, 1.0, until=0.5)
    assert [weight(Clock(step, 100, 0.0)) for step in (0, 25, 50, 100)] == [2.0, 1.5, 1.0, 1.0]


def test_decay_steps_at_whole_epochs() -> None:
    weight = decay(100.0, per_epoch=0.7)
    assert [round(weight(Clock(0, 1, epoch)), 6) for epoch in (0.0, 0.9, 1.0, 2.5)] == [100.0, 100.0, 70.0, 49.0]


def test_constant_does_not_look_at_the_clock() -> None:
    assert constant(3.0)(Clock(7, 9, 1.0)) == 3.0


def test_sigmoid_is_the_ramp_of_laine_and_aila_and_stays_at_its_end() -> None:
    weight = sigmoid(1.0, 3.0, until=0.5)
    found = [weight(Clock(step, 100, 0.0)) for step in (0, 25, 50, 100)]
    assert found == pytest.approx([1.013476, 1.573010, 3.0, 3.0], abs=1e-6)  # e^-5 = 0.006738, e^-1.25 = 0.286505
