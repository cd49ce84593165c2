"""Oracles: SciPy's bootstrap, the binomial standard error, and hand values."""

import time

import numpy as np
import pytest
from scipy import stats

from distildoc.metrics import SCORES, intervals, outcomes, paired_difference
from distildoc.metrics.accuracy import accuracies, class_recalls
from distildoc.metrics.bootstrap import draws


def test_accuracy_interval_equals_scipy_within_resampling_noise(made):
    _, probabilities, targets = made(374, 5)
    found = outcomes(probabilities, targets)
    score = intervals(found, {"accuracy": accuracies}, seed=0)["accuracy"]
    theirs = stats.bootstrap(
        (found.hits,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    # the 2.5 % point of 1,000 draws has a standard error near 0.002 here
    assert score.low == pytest.approx(theirs.low, abs=0.008)
    assert score.high == pytest.approx(theirs.high, abs=0.008)


def test_width_of_the_accuracy_interval_is_that_of_the_binomial(made):
    _, probabilities, targets = made(2000, 5)
    score = intervals(outcomes(probabilities, targets), {"accuracy": accuracies}, seed=3)["accuracy"]
    width = 2 * 1.96 * np.sqrt(score.value * (1 - score.value) / 2000)
    assert score.high - score.low == pytest.approx(width, rel=0.1)


def test_every_draw_holds_as_many_pages_as_there_are():
    counts = np.concatenate(list(draws(7, seed=0, resamples=50)))
    assert counts.shape == (50, 7)
    assert (counts.sum(1) == 7).all()


def test_same_seed_gives_the_same_interval_and_another_seed_another(made):
    _, probabilities, targets = made(60, 3)
    found = outcomes(probabilities, targets)
    first, again, other = (intervals(found, SCORES, seed=seed)["nll"] for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_drawing_in_pieces_changes_nothing_but_the_draws(made, monkeypatch):
    _, probabilities, targets = made(60, 3)
    found = outcomes(probabilities, targets)
    monkeypatch.setattr("distildoc.metrics.bootstrap.CHUNK", 60 * 7)
    sizes = [len(piece) for piece in draws(60, seed=0, resamples=20)]
    assert sizes == [7, 7, 6]
    assert intervals(found, SCORES, seed=0)["accuracy"].value == pytest.approx(found.hits.mean())


def test_all_right_has_an_interval_without_width():
    score = intervals(outcomes(np.eye(3), np.arange(3)), SCORES, seed=0)["accuracy"]
    assert (score.value, score.low, score.high) == (1.0, 1.0, 1.0)


def test_score_without_a_value_is_left_out_and_draws_without_one_are_skipped():
    found = outcomes(np.eye(3)[[0, 0, 1]], np.array([0, 0, 1]))
    recall = {name: lambda f, c, column=column: class_recalls(f, c)[:, column] for column, name in enumerate("abc")}
    result = intervals(found, recall, seed=0)
    assert set(result) == {"a", "b"}
    assert result["b"].low == 1.0  # about 30 % of the draws have no page of class b


def test_paired_difference_of_a_predictor_with_itself_is_zero(made):
    _, probabilities, targets = made(60, 3)
    found = outcomes(probabilities, targets)
    for score in SCORES.values():
        difference = paired_difference(score, found, found)
        assert (difference.value, difference.low, difference.high, difference.above) == (0, 0, 0, 0.5)


def test_paired_difference_is_narrower_than_unpaired_scores_suggest():
    # b differs from a on 10 of 400 pages, all for the worse: the difference is 10 / 400 and never below 0
    targets = np.zeros(400, int)
    a = np.where(np.arange(400)[:, None] < 320, [[0.9, 0.1]], [[0.2, 0.8]])
    b = np.where(np.arange(400)[:, None] < 310, [[0.9, 0.1]], [[0.2, 0.8]])
    difference = paired_difference(accuracies, outcomes(a, targets), outcomes(b, targets))
    assert difference.value == pytest.approx(0.025)
    spread = 1.96 * np.sqrt(0.025 * 0.975 / 400)
    assert difference.low == pytest.approx(0.025 - spread, abs=0.004)
    assert difference.high == pytest.approx(0.025 + spread, abs=0.004)
    assert difference.above > 0.99


def test_paired_difference_refuses_other_pages(made):
    a, b = made(60, 3), made(61, 3)
    with pytest.raises(ValueError, match="the same pages"):
        paired_difference(accuracies, outcomes(a.probabilities, a.targets), outcomes(b.probabilities, b.targets))


@pytest.mark.slow
def test_all_scores_of_40_000_pages_take_seconds(made):
    _, probabilities, targets = made(40_000, 16)
    start = time.process_time()
    result = intervals(outcomes(probabilities, targets), SCORES, seed=0)
    assert set(result) == set(SCORES)
    assert time.process_time() - start < 30  # 6.4 s on a quiet core
