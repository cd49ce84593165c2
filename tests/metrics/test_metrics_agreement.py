"""Oracles: hand values, Cohen's formula in a loop, and SciPy's relative entropy."""

import numpy as np
import pytest
from scipy.stats import entropy

from distildoc.metrics import outcomes, paired_difference
from distildoc.metrics.agreement import (
    AGREEMENT,
    Answers,
    agreement,
    divergences,
    fidelities,
    kappas,
    wrong_togethers,
)


def said(classes, *, of=3, targets=None):
    """Outcomes that predict these classes with 0.8, of true classes 0 unless others are given."""
    rows = np.full((len(classes), of), 0.2 / (of - 1))
    rows[np.arange(len(classes)), classes] = 0.8
    return outcomes(rows, np.zeros(len(classes), int) if targets is None else np.array(targets))


def drawn(seed, pages=80, classes=4):
    """Random answers of a student that leans to its teacher, and the true classes."""
    generator = np.random.default_rng(seed)
    teacher = generator.dirichlet(np.ones(classes), pages)
    student = 0.6 * teacher + 0.4 * generator.dirichlet(np.ones(classes), pages)
    targets = generator.integers(0, classes, pages)
    return outcomes(student, targets), outcomes(teacher, targets)


def value(score, answers):
    return float(score(answers, np.ones((1, len(answers))))[0])


def test_fidelity_is_the_share_of_same_predictions():
    assert value(fidelities, Answers(said([0, 1, 2, 2]), said([0, 1, 2, 0]))) == 0.75


def test_kappa_equals_the_hand_value():
    # table of calls [[20, 5], [10, 15]]: p = 35 / 50, e = (25 * 30 + 25 * 20) / 2500 = 1 / 2, kappa = 0.2 / 0.5
    student = said([0] * 20 + [0] * 5 + [1] * 10 + [1] * 15, of=2)
    teacher = said([0] * 20 + [1] * 5 + [0] * 10 + [1] * 15, of=2)
    assert value(kappas, Answers(student, teacher)) == pytest.approx(0.4)


def test_kappa_equals_the_formula_in_a_loop():
    student, teacher = drawn(1)
    same = np.mean(student.predicted == teacher.predicted)
    chance = sum(np.mean(student.predicted == c) * np.mean(teacher.predicted == c) for c in range(4))
    assert value(kappas, Answers(student, teacher)) == pytest.approx((same - chance) / (1 - chance))


def test_kappa_of_one_class_alone_has_no_value():
    answers = Answers(said([1, 1, 1]), said([1, 1, 1]))
    assert np.isnan(value(kappas, answers))
    assert "kappa" not in agreement(answers.student, answers.teacher, resamples=10)


def test_divergence_equals_the_relative_entropy_of_scipy():
    student, teacher = drawn(2)
    expected = entropy(teacher.probabilities, student.probabilities, axis=1).mean()
    assert value(divergences, Answers(student, teacher)) == pytest.approx(expected, abs=1e-12)


def test_divergence_of_an_impossible_class_is_the_clamp():
    sure, other = outcomes(np.array([[1.0, 0.0]]), np.array([0])), outcomes(np.array([[0.0, 1.0]]), np.array([0]))
    assert value(divergences, Answers(other, sure)) == pytest.approx(-np.log(1e-12))


def test_wrong_together_counts_the_same_wrong_class_alone():
    # the teacher errs on the last four; the student follows on one, errs otherwise on one, is right on two
    student = said([0, 1, 1, 2, 0, 0])
    teacher = said([0, 0, 1, 1, 1, 2])
    assert value(wrong_togethers, Answers(student, teacher)) == 0.25


def test_a_teacher_without_errors_has_nothing_to_be_wrong_together_with():
    answers = Answers(said([0, 1]), said([0, 0]))
    assert np.isnan(value(wrong_togethers, answers))
    assert set(agreement(answers.student, answers.teacher, resamples=10)) == {"fidelity", "kappa", "kl"}


def test_a_model_agrees_fully_with_itself():
    _, teacher = drawn(3)
    found = agreement(teacher, teacher, resamples=20)
    ends = {name: (score.value, score.low, score.high) for name, score in found.items()}
    assert ends == {"fidelity": (1, 1, 1), "kappa": (1, 1, 1), "kl": (0, 0, 0), "wrong_together": (1, 1, 1)}


@pytest.mark.parametrize("name", AGREEMENT)
def test_counting_a_page_twice_equals_having_it_twice(name):
    student, teacher = drawn(4)
    rows = np.concatenate([np.arange(1, 60), np.arange(20)])
    counts = np.bincount(rows, minlength=80)[None].astype(float)
    found = AGREEMENT[name](Answers(student, teacher), counts)[0]
    assert found == pytest.approx(value(AGREEMENT[name], Answers(student.select(rows), teacher.select(rows))))


def test_the_interval_of_fidelity_is_that_of_a_share():
    # normal approximation of a binomial share, which 1,000 draws of 400 pages meet to about a hundredth
    student, teacher = drawn(5, pages=400)
    score = agreement(student, teacher)["fidelity"]
    half = 1.96 * np.sqrt(score.value * (1 - score.value) / 400)
    assert (score.low, score.high) == pytest.approx((score.value - half, score.value + half), abs=0.01)


def test_two_students_are_paired_on_the_same_pages():
    student, teacher = drawn(6)
    twin = Answers(teacher, teacher)
    found = paired_difference(fidelities, twin, Answers(student, teacher), resamples=50)
    assert found.value == pytest.approx(1 - np.mean(student.predicted == teacher.predicted))
    assert found.above == 1


def test_other_pages_or_classes_are_refused():
    with pytest.raises(ValueError, match="same pages over the same classes, got 2 pages of 3 classes and 3 of 3"):
        Answers(said([0, 1]), said([0, 1, 2]))
    with pytest.raises(ValueError, match="got 2 pages of 3 classes and 2 of 4"):
        Answers(said([0, 1]), said([0, 1], of=4))
