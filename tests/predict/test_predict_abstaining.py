"""Oracles: SciPy for the bounds, NumPy for the pages of the hand-made bundle, and a simulation for the guarantee."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, binomtest

import distildoc
from distildoc.metrics.selective import selective_curve
from distildoc.predict.abstaining import chosen, upper_bound
from distildoc.predict.files import predict_files
from distildoc.schema.bundle import read_bundle
from distildoc.schema.errors import InputError
from distildoc.schema.selective import OperatingPoint, SelectiveCurve

CURVE = SelectiveCurve(100, (OperatingPoint(0.41, 100, 12), OperatingPoint(0.55, 80, 4), OperatingPoint(0.7, 50, 1)))


@pytest.mark.parametrize("sure", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(
    ("errors", "pages"), [(0, 1), (0, 300), (1, 2), (5, 60), (59, 60), (400, 40_000), (7000, 9000)]
)
def test_bound_equals_scipys_clopper_pearson(errors, pages, sure):
    found = upper_bound(errors, pages, sure=sure)
    assert found == pytest.approx(beta.ppf(sure, errors + 1, pages - errors), rel=1e-8)
    two_sided = binomtest(errors, pages).proportion_ci(2 * sure - 1, "exact").high
    assert found == pytest.approx(two_sided, rel=1e-8)


def test_bound_of_all_wrong_is_one():
    assert upper_bound(7, 7, sure=0.95) == 1.0


def test_the_largest_coverage_within_the_rate_is_chosen():
    assert [chosen(CURVE, rate).point.answered for rate in (1, 0.12, 0.119, 0.05, 0.049, 0.02)] == [
        *(100, 100, 80, 80),
        *(50, 50),
    ]


def test_a_choice_says_what_it_rests_on():
    choice = chosen(CURVE, 0.05)
    assert (choice.point.threshold, choice.pages, choice.sure, choice.guaranteed) == (0.55, 100, 0.95, False)
    assert choice.bound == pytest.approx(beta.ppf(0.95, 5, 76), rel=1e-8)


def test_a_rate_out_of_reach_names_the_least_one():
    with pytest.raises(InputError) as error:
        chosen(CURVE, 0.01)
    assert str(error.value) == (
        "error rate 0.01: no threshold reaches it on the 100 validation pages; the least is 0.0200, at coverage 0.50 "
        "(1 wrong of 50 answered)"
    )


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_rate_is_from_0_to_1(rate):
    with pytest.raises(InputError, match="write a share from 0 to 1"):
        chosen(CURVE, rate)


@pytest.mark.parametrize("sure", [0, 1, -1, 95, float("nan")])
def test_sure_is_a_probability(sure):
    with pytest.raises(InputError, match=r"write a probability above 0 and below 1, as in 0\.95"):
        chosen(CURVE, 0.1, sure=sure)


def calibrated(pages, generator):
    """Pages of two classes that are right with a probability that is their confidence."""
    confidence = 1 - 0.5 * generator.uniform(size=pages) ** 3
    wrong = generator.uniform(size=pages) > confidence
    return np.stack([confidence, 1 - confidence], 1), wrong.astype(np.int64)


def test_the_guarantee_is_a_union_over_evenly_spaced_coverages():
    # of 600 pages without ties, with SciPy's bound
    found = 0
    for seed in range(20):
        probabilities, targets = calibrated(600, np.random.default_rng(seed))
        wrong = (probabilities.argmax(1) != targets)[np.argsort(-probabilities.max(1))].cumsum()
        answered = np.arange(15, 601, 15)
        bounds = beta.ppf(1 - 0.05 / 40, wrong[answered - 1] + 1, answered - wrong[answered - 1])
        passed = answered[bounds <= 0.04]
        curve = selective_curve(probabilities, targets)
        if len(passed):
            choice = chosen(curve, 0.04, sure=0.95)
            assert (choice.point.answered, choice.point.errors) == (passed[-1], wrong[passed[-1] - 1])
            assert choice.guaranteed and choice.bound == pytest.approx(bounds[answered == passed[-1]][0], rel=1e-8)
            found += 1
        else:
            with pytest.raises(InputError, match=f"cannot promise it .* least they promise is {bounds.min():.4f}"):
                chosen(curve, 0.04, sure=0.95)
    assert 5 < found < 15


def true_rate(threshold):
    """Mean of 1 - confidence over 0.5 u^3 for u uniform, given that it is at most 1 - threshold."""
    largest = min(2 * (1 - threshold), 1) ** (1 / 3)
    return 0.5 * largest**3 / 4


def test_a_guaranteed_rate_is_passed_less_often_than_allowed_and_a_plain_one_more_often():
    generator = np.random.default_rng(0)
    plain, sure = [], []
    for _ in range(200):
        curve = selective_curve(*calibrated(1000, generator))
        plain.append(true_rate(chosen(curve, 0.06).point.threshold) > 0.06)
        sure.append(true_rate(chosen(curve, 0.06, sure=0.8).point.threshold) > 0.06)
    assert np.mean(sure) < 0.2 < np.mean(plain)


def test_a_promise_out_of_reach_names_the_least_one():
    with pytest.raises(InputError) as error:
        chosen(SelectiveCurve(63, (OperatingPoint(0.5, 63, 0),)), 0.02, sure=0.95)  # one threshold, so one test
    least = beta.ppf(0.95, 1, 63)
    assert f"the least they promise is {least:.4f}, at coverage 1.00 (0 wrong of 63 answered)" in str(error.value)


@pytest.fixture
def careful(bundle):
    """The hand-made bundle with CURVE."""
    content = replace(read_bundle(bundle), selective=CURVE).to_json()
    (bundle / "bundle.json").write_text(json.dumps(content))
    return bundle


def test_pages_below_the_threshold_are_abstained_from(careful, hand):
    found = list(distildoc.load(careful, max_error=0.05)(hand.pages(40)))
    expected = [hand.expected(number).max() < 0.55 for number in range(40)]
    assert [prediction.abstained for prediction in found] == expected
    assert 5 < sum(expected) < 35
    assert {prediction.threshold for prediction in found} == {0.55}


def test_a_page_less_sure_than_every_validation_page_is_abstained_from_at_any_rate(careful, hand):
    content = replace(read_bundle(careful), selective=SelectiveCurve(80, (OperatingPoint(0.55, 80, 4),))).to_json()
    (careful / "bundle.json").write_text(json.dumps(content))
    found = list(distildoc.load(careful, max_error=1)(hand.pages(40)))
    below = [hand.expected(number).max() < 0.55 for number in range(40)]
    assert [prediction.abstained for prediction in found] == below
    assert any(below)


def test_without_a_rate_every_page_is_answered(careful, hand):
    found = list(distildoc.load(careful)(hand.pages(40)))
    assert not any(prediction.abstained for prediction in found)
    assert distildoc.load(careful).choice is None


def test_results_say_for_each_page_whether_it_was_answered(careful, folder, hand, tmp_path):
    summary = predict_files(careful, [folder], tmp_path / "out", max_error=0.05)
    below = [hand.expected(number).max() < 0.55 for number in range(7)]
    classes = [hand.labels[hand.expected(number).argmax()] for number in range(7)]
    assert (summary.pages, summary.failed, summary.abstained) == (7, 0, sum(below))
    assert summary.choice == chosen(CURVE, 0.05)
    assert 0 < sum(below) < 7
    pages = json.loads((tmp_path / "out" / "predictions.json").read_text())["pages"]
    assert [page["abstained"] for page in pages] == below
    assert [page["label"] for page in pages] == [
        None if none else name for none, name in zip(below, classes, strict=True)
    ]
    assert [max(page["probabilities"], key=page["probabilities"].get) for page in pages] == classes
    assert {page["threshold"] for page in pages} == {0.55}
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["abstained"] for row in rows] == [str(none).lower() for none in below]
    assert [row["label"] for row in rows] == ["" if none else name for none, name in zip(below, classes, strict=True)]


def test_results_without_a_rate_answer_every_page(careful, folder, tmp_path):
    summary = predict_files(careful, [folder], tmp_path / "out")
    assert (summary.abstained, summary.choice) == (0, None)
    pages = json.loads((tmp_path / "out" / "predictions.json").read_text())["pages"]
    assert all(page["label"] and page["abstained"] is False and page["threshold"] is None for page in pages)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_error": 0.01}, "bundle: error rate 0.01: no threshold reaches it"),
        ({"max_error": 2}, "error rate 2: write a share from 0 to 1"),
        ({"max_error": 0.02, "sure": 0.95}, "the 100 validation pages cannot promise it"),
        ({"sure": 0.95}, "being 0.95 sure is about an error rate: name one as well"),
    ],
)
def test_what_cannot_be_kept_is_one_line_and_nothing_is_written(given, words, careful, folder, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as error:
        predict_files(careful, [folder], tmp_path / "out", **given)
    assert words in str(error.value) and "\n" not in str(error.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_bundle_of_format_1_loads_and_predicts_but_cannot_abstain(bundle, folder, tmp_path):
    content = json.loads((bundle / "bundle.json").read_text())
    assert content["format"] == 1 and "selective" not in content
    assert predict_files(bundle, [folder], tmp_path / "out").pages == 7
    with pytest.raises(InputError, match="no risk-coverage curve to choose a threshold from; run `distildoc export`"):
        distildoc.load(bundle, max_error=0.05)
