"""Oracles: SciPy's bounded scalar minimisation, calibrated logits by construction, and the limits."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from distildoc.evaluate.temperature import HIGHEST, LOWEST, fit_temperature, temperature_nll


def loss(logits, targets, temperature):
    return -log_softmax(logits / temperature, axis=1)[np.arange(len(targets)), targets].mean()


def drawn(pages, classes, scale, seed=0):
    """Logits, and targets drawn from softmax(logits): a calibrated model whose logits are then scaled."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(pages, classes)) * 2
    chances = np.exp(log_softmax(logits, axis=1))
    targets = (chances.cumsum(1) < generator.random((pages, 1))).sum(1).clip(max=classes - 1)
    return logits * scale, targets


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.7])
def test_equals_scipy(scale):
    logits, targets = drawn(400, 5, scale)
    theirs = minimize_scalar(
        lambda t: loss(logits, targets, t), bounds=(LOWEST, HIGHEST), method="bounded", options={"xatol": 1e-9}
    )
    assert fit_temperature(logits, targets) == pytest.approx(theirs.x, rel=1e-5)


def test_undoes_the_scale_of_a_calibrated_model():
    logits, targets = drawn(20_000, 4, 2.5)
    assert fit_temperature(logits, targets) == pytest.approx(2.5, rel=0.03)


@pytest.mark.parametrize("scale", [0.01, 0.3, 1.0, 8.0, 300.0])
def test_never_worse_than_leaving_the_logits_alone(scale):
    logits, targets = drawn(50, 3, scale, seed=4)
    temperature = fit_temperature(logits, targets)
    assert LOWEST <= temperature <= HIGHEST
    assert temperature_nll(logits, targets, temperature=temperature) <= temperature_nll(logits, targets, temperature=1)


def test_stays_one_where_every_page_is_right(caplog):
    assert fit_temperature(np.eye(3) * 9, np.arange(3)) == 1.0
    assert "no error on 3 validation pages" in caplog.text


def test_stays_one_where_every_page_is_right_and_infinitely_sure():
    assert fit_temperature(np.eye(3, dtype=np.float32) * 3e38, np.arange(3)) == 1.0


def test_goes_to_the_top_where_every_page_is_wrong():
    assert fit_temperature(np.eye(3), np.array([1, 2, 0])) == HIGHEST


def test_goes_to_the_bottom_where_logits_are_tiny_but_mostly_right():
    logits = np.eye(2)[[0] * 99 + [1]] * 1e-3
    assert fit_temperature(logits, np.zeros(100, int)) == LOWEST


def test_shift_of_all_logits_of_a_page_changes_nothing():
    logits, targets = drawn(200, 5, 2.0)
    shifted = logits + np.arange(200)[:, None]
    assert fit_temperature(shifted, targets) == pytest.approx(fit_temperature(logits, targets), rel=1e-9)


def test_nll_equals_scipy_and_survives_huge_logits():
    logits, targets = drawn(100, 5, 1.0)
    assert temperature_nll(logits, targets, temperature=1.7) == pytest.approx(loss(logits, targets, 1.7))
    assert temperature_nll(np.array([[1e4, 0.0]]), np.array([1]), temperature=1.0) == pytest.approx(1e4)


@pytest.mark.parametrize(
    ("logits", "targets", "said"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "are wanted"),
        (np.zeros((2, 3)), np.zeros(3, int), "are wanted"),
        (np.array([[np.inf, 0.0]]), np.array([0]), "1 of 1 pages have logits not finite"),
        (np.zeros((1, 3)), np.array([3]), "from 0 to 2"),
    ],
)
def test_refuses_what_cannot_be_fitted(logits, targets, said):
    with pytest.raises(ValueError, match=said):
        fit_temperature(logits, targets)
