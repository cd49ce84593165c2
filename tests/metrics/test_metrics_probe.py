import numpy as np
import pytest

from distildoc.metrics.outcomes import Floats
from distildoc.metrics.probe import probed
from distildoc.metrics.retrieval import Vectors


def pages(count: int, *, seed: int, spread: float = 1.0) -> Vectors:
    """Four classes around four corners of a space of six features, two of them on other scales."""
    draw = np.random.default_rng(seed)
    classes = draw.integers(4, size=count)
    corners = np.random.default_rng(99).normal(size=(4, 6))
    rows = (corners[classes] + spread * draw.normal(size=(count, 6))) * [1, 1, 100, 0.01, 1, 1] + [0, 5, 0, 0, 0, 0]
    return Vectors(tuple(map(str, range(count))), classes, rows)


def least_squares(learnt: Vectors, asked: Vectors, strength: float) -> Floats:
    """The same minimum from rows that stand for the penalty, and a column of ones that is not penalised."""
    mean, deviation = learnt.rows.mean(0), learnt.rows.std(0)
    rows, count = (learnt.rows - mean) / deviation, len(learnt)
    known = np.vstack([np.hstack([rows, np.ones((count, 1))]), np.sqrt(strength * count) * np.eye(6, 7)])
    wanted = np.vstack([np.eye(4)[learnt.classes], np.zeros((6, 4))])
    weights = np.linalg.lstsq(known, wanted, rcond=None)[0]
    said = np.hstack([(asked.rows - mean) / deviation, np.ones((len(asked), 1))]) @ weights
    return np.asarray(said.argmax(1) == asked.classes, np.float64)


@pytest.mark.parametrize("strength", [0.001, 0.5])
def test_names_the_pages_that_least_squares_names(strength: float) -> None:
    learnt, asked = pages(80, seed=0), pages(200, seed=1)
    found = probed(learnt, learnt, asked, strengths=[strength])
    assert 0 < found.mean() < 1
    assert np.array_equal(found, least_squares(learnt, asked, strength))


def test_names_all_pages_where_the_classes_lie_apart() -> None:
    assert probed(pages(60, seed=0, spread=0.01), pages(20, seed=1), pages(50, seed=2, spread=0.01)).all()


def test_takes_the_strength_that_does_better_on_validation_pages() -> None:
    learnt, validation, asked = pages(12, seed=1, spread=2.0), pages(300, seed=4), pages(300, seed=5)
    by_strength = {one: probed(learnt, learnt, validation, strengths=[one]).sum() for one in (1e-6, 1.0)}
    better, worse = sorted(by_strength, key=lambda one: -by_strength[one])
    assert by_strength[better] > by_strength[worse]
    chosen = probed(learnt, validation, asked, strengths=[1e-6, 1.0])
    assert np.array_equal(chosen, probed(learnt, learnt, asked, strengths=[better]))


def test_scale_and_origin_of_a_feature_do_not_matter() -> None:
    sides = [pages(50, seed=seed) for seed in (0, 1, 2)]
    moved = [Vectors(one.ids, one.classes, one.rows * [3, 1, 1, 2, 1, 9] + 7) for one in sides]
    assert np.array_equal(probed(*sides), probed(*moved))


def test_a_feature_that_never_changes_changes_nothing() -> None:
    sides = [pages(50, seed=seed) for seed in (0, 1, 2)]
    wider = [Vectors(one.ids, one.classes, np.hstack([one.rows, np.full((50, 1), 2.0)])) for one in sides]
    assert np.array_equal(probed(*sides), probed(*wider))


def test_refuses_classes_that_it_has_not_seen() -> None:
    learnt, asked = pages(50, seed=0), pages(50, seed=1)
    with pytest.raises(ValueError, match=r"no page of the classes \[9\]"):
        probed(learnt, learnt, Vectors(asked.ids, np.full(50, 9), asked.rows))


def test_refuses_a_strength_of_0() -> None:
    learnt = pages(50, seed=0)
    with pytest.raises(ValueError, match="above 0"):
        probed(learnt, learnt, learnt, strengths=[0.0, 1.0])
