import numpy as np
from numpy.testing import assert_allclose
from scipy.special import softmax as scipy_softmax

from distildoc.predict.classify import classified, softmax
from distildoc.schema.pages import FailedPage, Page


def test_softmax_equals_scipy():
    logits = np.random.default_rng(0).normal(0, 20, (50, 7)).astype(np.float32)
    assert_allclose(softmax(logits), scipy_softmax(logits.astype(np.float64), axis=1), atol=1e-6)


def test_softmax_of_huge_logits_does_not_overflow():
    assert softmax(np.array([[1e30, 0, -1e30]], np.float32)).tolist() == [[1, 0, 0]]


def test_confidence_is_the_largest_probability():
    page = Page("a", "a.png", 1, lambda px: None)
    found = classified(page, ("x", "y"), np.array([0.25, 0.75], np.float32))
    assert (found.label, found.confidence) == ("y", 0.75)


def test_an_infinite_probability_is_a_failure_that_names_the_page():
    page = Page("a", "a.png", 3, lambda px: None)
    found = classified(page, ("x", "y"), np.array([np.nan, 0.5], np.float32))
    assert found == FailedPage("a", "a.png", 3, "a: the network gave numbers that are not finite")
