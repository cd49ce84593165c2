"""Oracles: hand values of pages known to be right or wrong, and the binomial standard error."""

import numpy as np
import pytest

from distildoc.evaluate import PageTable, write_predictions
from distildoc.study import read_runs
from distildoc.study.groups import accuracy_gain, best_of, group_runs


@pytest.fixture
def groups(make_run):
    folders = [
        make_run("kd-s0", 28),
        make_run("teacher", 36, method="supervised"),
        make_run("supervised-s1", 22, method="supervised", seed=1),
        make_run("supervised-s0", 24, method="supervised"),
        make_run("simkd", 32, method="simkd"),
        make_run("kd-s1", 30, seed=1),
    ]
    return group_runs(read_runs(folders))


def test_groups_stand_teacher_first_then_supervised_then_students_by_score(groups):
    assert [(group.name, group.role, len(group.runs)) for group in groups] == [
        ("teacher", "teacher", 1),
        ("supervised", "supervised", 2),
        ("simkd", "student", 1),
        ("kd", "student", 2),
    ]


def test_score_of_one_run_has_its_interval_and_of_several_their_range(groups):
    teacher, _, _, kd = groups
    assert teacher.score("accuracy") == teacher.report.scores["accuracy"]
    score = kd.score("accuracy")
    assert (score.value, score.low, score.high) == pytest.approx((29 / 40, 28 / 40, 30 / 40))


def test_score_of_a_slice_and_of_something_not_measured(groups):
    kd = groups[3]
    # 28 and 30 of 40 pages are right, half of them of each class
    assert kd.score("recall", "class: memo").value == pytest.approx((14 / 20 + 15 / 20) / 2)
    assert kd.score("recall", "class: form") is None
    assert kd.score("mAP") is None
    assert kd.cost("macs") == 9.1e6
    assert kd.cost("joules") is None


def test_best_leaves_out_the_teacher_and_knows_which_way_is_up(groups):
    assert best_of(groups, "accuracy") == {"simkd"}
    assert best_of(groups, "nll") == {"simkd"}  # the smallest
    assert best_of(groups[:2], "accuracy") == frozenset()  # one student is no contest


def test_gain_is_paired_by_page(groups):
    teacher, _, simkd, _ = groups
    gain = accuracy_gain(teacher, simkd)  # right on 36 and 32 pages, 32 of them the same
    assert gain.value == pytest.approx(4 / 40)
    spread = 1.96 * np.sqrt(0.1 * 0.9 / 40)
    assert gain.low == pytest.approx(0.1 - spread, abs=0.03)
    assert gain.high == pytest.approx(0.1 + spread, abs=0.03)
    assert gain.low >= 0  # never fewer right pages in any draw


def test_gain_of_several_seeds_is_the_mean_of_paired_seeds(groups):
    _, supervised, _, kd = groups
    gain = accuracy_gain(kd, supervised)  # seed 0: 28 - 24, seed 1: 30 - 22
    assert gain.value == pytest.approx((4 / 40 + 8 / 40) / 2)


def test_gain_needs_common_seeds_predictions_and_pages(groups, make_run, with_right):
    _, supervised, simkd, kd = groups
    assert accuracy_gain(simkd, supervised).value == pytest.approx((32 - 24) / 40)  # seed 0 alone
    lone = group_runs(read_runs([make_run("fitnet", 20, method="fitnet", seed=7)]))[0]
    assert accuracy_gain(lone, kd) is None
    (lone.runs[0].path / "evaluation" / "predictions.csv").unlink()
    assert accuracy_gain(lone, simkd) is None


def test_gain_is_unknown_where_the_pages_differ(groups, make_run, with_right):

    folder = make_run("fitnet", 20, method="fitnet")
    write_predictions(with_right(20, pages=38), folder / "evaluation" / "predictions.csv")
    other = group_runs(read_runs([folder]))[0]
    assert accuracy_gain(other, groups[2]) is None


def test_order_of_the_pages_in_the_files_does_not_matter(groups, make_run, with_right):

    folder = make_run("nkd", 20, method="nkd")
    table = with_right(20)
    turned = PageTable(table.pages[::-1], table.labels, table.targets[::-1], table.probabilities[::-1])
    write_predictions(turned, folder / "evaluation" / "predictions.csv")
    gain = accuracy_gain(group_runs(read_runs([folder]))[0], groups[2])
    assert gain.value == pytest.approx((20 - 32) / 40)
    assert gain.high <= 0


def test_runs_of_one_name_and_seed_are_no_seeds_of_one_another(make_run):
    groups = group_runs(read_runs([make_run("kd", 30), make_run("again", 20, name="kd")]))
    assert sorted(group.name for group in groups) == ["kd", "runs/again"]
