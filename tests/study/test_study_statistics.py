"""Statistics of a study against SciPy, textbook values and the enumeration of all draws."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from distildoc.metrics import SCORES, outcomes
from distildoc.metrics.bootstrap import percentiles
from distildoc.study.statistics import drawn_scores, holm, over_seeds, p_value


def test_holm_gives_the_worked_example() -> None:
    """Four p-values by hand: 4 x 0.005, 3 x 0.01, then 2 x 0.03, and 1 x 0.04 raised to the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_rejects_what_comparing_in_steps_rejects() -> None:
    """Holm 1979: reject in rising order while p(i) <= alpha / (n - i)."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = rng.random(6) ** 3
        rejected = np.zeros(6, bool)
        for step, position in enumerate(np.argsort(values)):
            if values[position] > 0.05 / (6 - step):
                break
            rejected[position] = True
        assert (np.array(holm(list(values))) <= 0.05).tolist() == rejected.tolist()


def test_holm_never_exceeds_one_and_one_value_is_itself() -> None:
    assert holm([0.7, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]


def test_the_p_value_counts_draws_on_the_other_side_of_zero() -> None:
    """99 draws, 4 of them not above zero: 2 (4 + 1) / (99 + 1)."""
    draws = np.concatenate([np.full(95, 0.1), [-0.1, -0.2, -0.3, 0.0]])
    assert p_value(draws) == pytest.approx(0.1)
    assert p_value(np.zeros(50)) == 1.0
    assert p_value(np.append(draws, np.nan)) == pytest.approx(0.1)


def test_a_tie_counts_on_both_sides_however_it_is_rounded() -> None:
    """0.1 + 0.2 - 0.3 is 0 on paper: with 10 such ties and 90 draws above, 2 (10 + 1) / (100 + 1)."""
    ties = np.full(10, 0.1 + 0.2 - 0.3)
    assert (ties > 0).all()
    assert p_value(np.append(np.full(90, 0.1), ties)) == pytest.approx(22 / 101)


def test_one_seed_gives_the_interval_of_scipys_paired_bootstrap() -> None:
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 2, 300)
    right = [rng.random(300) < rate for rate in (0.85, 0.78)]
    tables = [outcomes(np.eye(2)[np.where(hit, targets, 1 - targets)], targets) for hit in right]
    ours = [drawn_scores(one, {"accuracy": SCORES["accuracy"]}, 4000)["accuracy"] for one in tables]
    found = over_seeds(ours[0][None], resamples=4000) - over_seeds(ours[1][None], resamples=4000)
    theirs = stats.bootstrap(
        (right[0].astype(float), right[1].astype(float)),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        rng=1,
    ).confidence_interval
    assert found[0] == pytest.approx(right[0].mean() - right[1].mean())
    assert percentiles(found[1:]) == pytest.approx((theirs.low, theirs.high), abs=0.005)


def test_seeds_and_pages_are_both_drawn_as_all_draws_enumerated_say() -> None:
    """Two seeds on three pages: the mean and variance over all 4 draws of seeds and 27 of pages."""
    hits = np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    every = [
        np.mean([hits[seed, list(pages)].mean() for seed in seeds])
        for seeds in product(range(2), repeat=2)
        for pages in product(range(3), repeat=3)
    ]
    tables = [outcomes(np.eye(2)[np.where(row == 1, 0, 1)], np.zeros(3, np.int64)) for row in hits]
    drawn = np.stack([drawn_scores(one, {"accuracy": SCORES["accuracy"]}, 40_000)["accuracy"] for one in tables])
    found = over_seeds(drawn, resamples=40_000)[1:]
    assert found.mean() == pytest.approx(np.mean(every), abs=0.005)
    assert found.var() == pytest.approx(np.var(every), rel=0.03)


def test_the_same_draws_serve_two_runs_so_that_equal_runs_never_differ() -> None:
    rng = np.random.default_rng(5)
    table = outcomes(rng.dirichlet([1, 1, 1], 50), rng.integers(0, 3, 50))
    both = [drawn_scores(table, dict(SCORES), 20) for _ in range(2)]
    for name in SCORES:
        assert np.array_equal(both[0][name], both[1][name])
