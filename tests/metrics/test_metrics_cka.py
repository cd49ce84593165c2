"""Oracles: the formula over features, the unbiased estimator as Song et al. write it, and invariants."""

import numpy as np
import pytest

from distildoc.metrics.cka import cka, cka_debiased, gram


def features(seed, pages=40, width=7):
    return np.random.default_rng(seed).normal(size=(pages, width))


def alike(x, y, *, score=cka):
    return score(gram(x), gram(y))


def over_features(x, y):
    """||Y^T X||^2 / (||X^T X|| ||Y^T Y||) of centred features, as Kornblith et al. give it beside the kernel form."""
    x, y = x - x.mean(0), y - y.mean(0)
    return np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def unbiased(k, el):
    """The estimator HSIC_1 of Song et al., term by term."""
    n, ones = len(k), np.ones(len(k))
    k, el = k - np.diag(np.diag(k)), el - np.diag(np.diag(el))
    first = np.trace(k @ el)
    second = ones @ k @ ones * (ones @ el @ ones) / ((n - 1) * (n - 2))
    third = 2 / (n - 2) * ones @ k @ el @ ones
    return (first + second - third) / (n * (n - 3))


def orthogonal(seed, width):
    return np.linalg.qr(features(seed, width, width))[0]


def test_equals_the_formula_over_features():
    x = features(0) + 3.0
    y = x @ features(1, 7, 5) + features(2, width=5)
    assert alike(x, y) == pytest.approx(over_features(x, y), abs=1e-12)


def test_debiased_equals_the_unbiased_estimator_term_by_term():
    x = features(0) + 3.0
    y = x @ features(1, 7, 5) + features(2, width=5)
    k, el = x @ x.T, y @ y.T
    expected = unbiased(k, el) / np.sqrt(unbiased(k, k) * unbiased(el, el))
    assert cka_debiased(k, el) == pytest.approx(expected, abs=1e-12)
    assert alike(x, y, score=cka_debiased) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("score", [cka, cka_debiased])
def test_is_one_of_features_and_themselves(score):
    x = features(3)
    assert alike(x, x, score=score) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("score", [cka, cka_debiased])
def test_rotation_scale_and_shift_of_all_features_change_nothing(score):
    x, y = features(4), features(5, width=3)
    moved = -2.5 * x @ orthogonal(6, 7) + features(7, pages=1)
    assert alike(moved, y, score=score) == pytest.approx(alike(x, y, score=score), abs=1e-12)
    assert alike(moved, x, score=score) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("score", [cka, cka_debiased])
def test_scaling_one_feature_changes_it(score):
    x, y = features(4), features(5, width=3)
    assert abs(alike(x * [9, 1, 1, 1, 1, 1, 1], y, score=score) - alike(x, y, score=score)) > 0.01


@pytest.mark.parametrize("score", [cka, cka_debiased])
def test_does_not_depend_on_which_comes_first(score):
    x, y = features(8), features(9, width=3)
    assert alike(x, y, score=score) == pytest.approx(alike(y, x, score=score), abs=1e-12)


def test_unrelated_features_of_many_pages_come_to_nothing():
    assert abs(alike(features(10, 2000, 8), features(11, 2000, 8), score=cka_debiased)) < 0.01


def test_unrelated_wide_features_of_few_pages_are_high_with_bias_and_near_nothing_without():
    x, y = features(12, 60, 2000), features(13, 60, 2000)
    assert alike(x, y) > 0.9
    assert abs(alike(x, y, score=cka_debiased)) < 0.1


@pytest.mark.parametrize("score", [cka, cka_debiased])
def test_constant_features_resemble_nothing(score):
    constant = np.full((40, 3), 0.1, np.float32)
    assert np.isnan(alike(constant, features(0), score=score))
    assert np.isnan(alike(constant, constant, score=score))


def test_small_differences_on_a_large_mean_are_seen():
    x = features(14)
    shifted = (x * 1e-3 + 100).astype(np.float64)
    assert alike(x, shifted) == pytest.approx(1, abs=1e-9)


def test_other_shapes_and_too_few_pages_are_refused():
    with pytest.raises(ValueError, match=r"finite features \[N, D\] are wanted"):
        gram(np.array([[np.inf]]))
    with pytest.raises(ValueError, match="same 2 or more pages are wanted"):
        cka(np.eye(3), np.eye(4))
    with pytest.raises(ValueError, match="same 4 or more pages are wanted"):
        cka_debiased(np.eye(3), np.eye(3))
