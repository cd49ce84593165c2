"""Oracles: scikit-learn 1.9.1 on the predictions of conftest.py (calls beside the numbers), and hand values."""

import numpy as np
import pytest

from distildoc.metrics import accuracy, confusion, macro_f1, outcomes
from distildoc.metrics.accuracy import class_f1s, class_precisions, class_recalls

ONE_HOT = np.eye(3)


def test_accuracy_equals_scikit_learn(made):
    _, probabilities, targets = made(200, 5)
    assert accuracy(probabilities, targets) == pytest.approx(0.455)  # accuracy_score(y, p.argmax(1))


def test_macro_f1_equals_scikit_learn(made):
    _, probabilities, targets = made(200, 5)
    # f1_score(y, p.argmax(1), average="macro")
    assert macro_f1(probabilities, targets) == pytest.approx(0.45655965300989915, abs=1e-12)


def test_confusion_equals_scikit_learn_with_true_classes_in_rows(made):
    _, probabilities, targets = made(37, 3)
    # confusion_matrix(y, p.argmax(1))
    assert confusion(probabilities, targets).tolist() == [[7, 2, 4], [5, 5, 2], [1, 3, 8]]


def test_class_scores_equal_scikit_learn(made):
    _, probabilities, targets = made(37, 3)
    found, once = outcomes(probabilities, targets), np.ones((1, 37))
    # precision_recall_fscore_support(y, p.argmax(1))[:3]
    assert class_precisions(found, once)[0] == pytest.approx([0.53846154, 0.5, 0.57142857])
    assert class_recalls(found, once)[0] == pytest.approx([0.53846154, 0.41666667, 0.66666667])
    assert class_f1s(found, once)[0] == pytest.approx([0.53846154, 0.45454545, 0.61538462])


def test_macro_f1_leaves_out_a_class_that_is_neither_true_nor_predicted():
    # classes 0 and 1 only: F1 = 2/3 (TP 1, FP 0, FN 1) and 2/3 (TP 1, FP 1, FN 0)
    assert macro_f1(ONE_HOT[[0, 1, 1]], np.array([0, 0, 1])) == pytest.approx(2 / 3)


def test_macro_f1_counts_zero_for_a_class_that_is_predicted_but_never_true():
    # F1 of class 0 is 2/3, of class 2 is 0
    assert macro_f1(ONE_HOT[[0, 2]], np.array([0, 0])) == pytest.approx(1 / 3)


def test_recall_of_a_class_without_pages_is_no_number():
    found = outcomes(ONE_HOT[[0, 1]], np.array([0, 1]))
    assert np.isnan(class_recalls(found, np.ones((1, 2)))[0, 2])


def test_all_right_is_one_and_all_wrong_is_zero():
    targets = np.array([0, 1, 2])
    assert accuracy(ONE_HOT, targets) == macro_f1(ONE_HOT, targets) == 1.0
    assert accuracy(ONE_HOT[[1, 2, 0]], targets) == macro_f1(ONE_HOT[[1, 2, 0]], targets) == 0.0


def test_equal_probabilities_predict_the_first_class():
    assert accuracy(np.array([[0.5, 0.5]]), np.array([0])) == 1.0


def test_counting_a_page_twice_equals_having_it_twice(made):
    _, probabilities, targets = made(37, 3)
    twice = np.concatenate([np.arange(37), np.arange(5)])
    counts = np.ones((1, 37))
    counts[0, :5] = 2
    found = outcomes(probabilities, targets)
    alone = macro_f1(probabilities[twice], targets[twice])
    assert np.nanmean(class_f1s(found, counts)) == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize(
    ("probabilities", "targets", "said"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "are wanted"),
        (np.ones(3) / 3, np.zeros(3, int), "are wanted"),
        (ONE_HOT, np.array([0, 1]), "are wanted"),
        (ONE_HOT, np.array([0, 1, 3]), "from 0 to 2"),
        (ONE_HOT, np.array([0.0, 1.0, 2.0]), "from 0 to 2"),
        (ONE_HOT * 2, np.array([0, 1, 2]), "row 0 .* no distribution"),
        (np.array([[1.5, -0.5]]), np.array([0]), "no distribution"),
        (np.array([[np.nan, 1.0]]), np.array([0]), "no distribution"),
    ],
)
def test_refuses_what_is_no_table_of_probabilities(probabilities, targets, said):
    with pytest.raises(ValueError, match=said):
        accuracy(probabilities, targets)
