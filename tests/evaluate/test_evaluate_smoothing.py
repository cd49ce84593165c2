"""evaluate.smoothing on hand values of Cohen et al. 2019 and on a linear model, whose radius is known."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from distildoc.core.batch import Batch, Key
from distildoc.core.model import Model, Normalise, Places
from distildoc.evaluate.smoothing import ABSTAINED, Smoothing, certify, radius_of


def test_radius_of_a_unanimous_vote_is_the_hand_value() -> None:
    """n of n votes: p = alpha^(1/n). n = 100, alpha = 0.001: p = 0.93325, Phi^-1 = 1.50048."""
    assert radius_of(100, 100, sigma=0.5, alpha=0.001) == pytest.approx(0.5 * 1.50048, rel=1e-4)
    assert stats.norm.cdf(1.50048) == pytest.approx(0.001 ** (1 / 100), rel=1e-5)


def test_radius_of_a_hundred_thousand_unanimous_votes_is_about_3_8_sigma() -> None:
    """What Cohen et al. name as the largest radius of n = 100,000 and alpha = 0.001, section 3.2.2."""
    assert radius_of(100_000, 100_000, sigma=1.0, alpha=0.001) == pytest.approx(3.8, abs=0.02)


def test_lower_bound_holds_as_often_as_it_says() -> None:
    """P( bound > p ) <= alpha when hits are binomial, summed exactly over all counts."""
    p, draws, alpha = 0.8, 60, 0.05
    beyond = [
        stats.binom.pmf(hits, draws, p)
        for hits in range(draws + 1)
        if radius_of(hits, draws, sigma=1.0, alpha=alpha) > stats.norm.ppf(p)
    ]
    assert 0.01 < sum(beyond) <= alpha


@pytest.mark.parametrize("hits", [0, 10, 50, 55])
def test_no_radius_where_the_winner_may_have_half_the_votes_or_less(hits: int) -> None:
    assert radius_of(hits, 100, sigma=1.0, alpha=0.001) == 0


def linear(direction: torch.Tensor, offset: float) -> Model:
    """Names class 1 where direction . (mean over colours of a grey page) > offset, each colour weighing a third."""
    head = nn.Linear(48, 2)
    with torch.no_grad():
        head.weight.zero_()
        head.weight[1] = direction.flatten().repeat(3) / 3
        head.bias.copy_(torch.tensor([0.0, -offset]))
    normalise = Normalise((0.0,) * 3, (1.0,) * 3)
    places = Places("body", "body", ())
    return Model(nn.Flatten(), head, normalise=normalise, labels=("form", "letter"), places=places, recipe={})


def page(distance: float, direction: torch.Tensor, offset: float) -> torch.Tensor:
    """A grey page at a distance from the boundary."""
    unit = direction / direction.norm()
    return (unit * (offset / direction.norm() + distance)).expand(3, 4, 4)


def test_radius_of_a_linear_model_is_just_below_the_distance_from_its_boundary() -> None:
    """P( winner ) = Phi( distance / sigma ), so the certified radius tends to the distance from below."""
    direction, offset = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)), 0.7
    distances = (0.1, 0.2, -0.15, 0.001)
    pixels = torch.stack([page(distance, direction, offset) for distance in distances])
    label = torch.tensor([1, 1, 1, 1])
    batch = Batch(pixels, {"label": label}, tuple(Key(f"p{i}", 0) for i in range(4)))
    found = certify(linear(direction, offset), [batch], Smoothing(0.1, draws=20_000, batch=5000))
    assert found.winner.tolist() == [1, 1, 0, ABSTAINED]
    assert found.right.tolist() == [True, True, False, False]
    for radius, distance in zip(found.radius.tolist()[:3], distances, strict=False):
        assert 0.9 * abs(distance) < radius < abs(distance)
    assert found.within(0.15).tolist() == [False, True, False, False]
    assert found.radius[3] == 0


def test_colour_pages_have_noise_of_their_own_in_each_colour() -> None:
    """A mean of three independent planes has a third of the variance, so the vote is surer at the same distance."""
    direction = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    batch = Batch(page(0.1, direction, 0.7)[None], {"label": torch.tensor([1])}, (Key("p", 0),))
    radii = [
        certify(linear(direction, 0.7), [batch], Smoothing(0.1, draws=5000, grey=grey)).radius.item()
        for grey in (True, False)
    ]
    assert radii[1] / radii[0] == pytest.approx(math.sqrt(3), rel=0.1)


def test_a_vote_that_abstains_is_not_right_on_a_page_without_label() -> None:
    direction = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    batch = Batch(page(0.001, direction, 0.7)[None], {"label": torch.tensor([-1])}, (Key("p", 0),))
    found = certify(linear(direction, 0.7), [batch], Smoothing(0.1, draws=2000))
    assert (found.winner.tolist(), found.right.tolist()) == ([ABSTAINED], [False])
