import json
import math

import pytest

from distildoc.schema.bundle import Bundle, Graph, Stored, bundle_from_json
from distildoc.schema.errors import InputError
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.selective import OperatingPoint, SelectiveCurve

POINTS = [[0.21, 100, 12], [0.55, 80, 5], [0.9, 40, 0]]
CURVE = SelectiveCurve(100, tuple(OperatingPoint(*point) for point in POINTS))


def bundle(curve=CURVE, task="classification"):
    graph = Graph("model.onnx", ("pixels",), ("logits",), 18)
    files = {"model.onnx": Stored("0" * 64, 3)}
    return Bundle(task, ("letter", "form"), Preprocess(32, 24), 1.5, graph, files, selective=curve)


def stored(**changes):
    return {**json.loads(json.dumps(bundle().to_json())), **changes}


def test_a_bundle_with_a_curve_survives_json_in_a_format_of_its_own():
    assert stored()["format"] == 3
    assert stored()["selective"] == {"pages": 100, "points": POINTS}
    assert bundle_from_json(stored(), "x") == bundle()


def test_a_bundle_without_a_curve_keeps_its_format_and_id():
    plain = bundle(curve=None)
    assert plain.to_json()["format"] == 1
    assert "selective" not in plain.to_json()
    assert plain.id == "0ad107ddfe7bbbae"  # what version 0.1.0 gave before there were curves
    assert bundle_from_json(json.loads(json.dumps(plain.to_json())), "x") == plain


def test_the_curve_belongs_to_the_id():
    assert len({bundle().id, bundle(curve=None).id, bundle(SelectiveCurve(100, CURVE.points[:2])).id}) == 3


def test_a_layout_bundle_has_no_curve():
    with pytest.raises(ValueError, match="'selective' is for classification, the task is detection"):
        bundle(task="detection")
    with pytest.raises(InputError, match="'selective' is for classification"):
        bundle_from_json(stored(task="detection"), "bundle.json")


def test_even_points_answer_at_least_their_share_and_no_page_more_than_they_must():
    curve = SelectiveCurve(130, tuple(OperatingPoint(place / 130, 130 - place, 0) for place in range(130)))
    assert [point.answered for point in curve.even()] == [math.ceil(3.25 * part) for part in range(40, 0, -1)]


def test_even_points_of_few_pages_are_all_pages_once():
    curve = SelectiveCurve(5, tuple(OperatingPoint(place / 5, 5 - place, 0) for place in range(5)))
    assert [point.answered for point in curve.even()] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([[0.2, 90, 9]], "the first point answers all 100 pages, got 90"),
        ([[0.2, 100, 9], [0.2, 50, 1]], "a higher threshold answers fewer pages"),
        ([[0.2, 100, 9], [0.3, 100, 9]], "a higher threshold answers fewer pages"),
        ([[0.2, 100, 9], [0.3, 98, 6]], "a higher threshold answers fewer pages"),  # 2 pages cannot hold 3 errors
        ([[0.2, 100, 9], [0.3, 50, 10]], "a higher threshold answers fewer pages"),
        ([[0.2, 100, 9], [0.3, 0, 0]], "of at least one page answered some are wrong, got 0 of 0"),
        ([[0.2, 100, 101]], "got 101 of 100"),
        ([[0.2, 100, -1]], "got -1 of 100"),
        ([[1.2, 100, 9]], "a threshold is from 0 to 1, got 1.2"),
        ([[float("nan"), 100, 9]], "a threshold is from 0 to 1, got nan"),
        ([[10**400, 100, 9]], "a threshold is from 0 to 1, got 1000"),
        ([[-(10**400), 100, 9]], "a threshold is from 0 to 1, got -1000"),
        ([["0.2", 100, 9]], "a threshold must be a number"),
        ([[True, 100, 9]], "a threshold must be a number"),
        ([[0.2, 100.0, 9]], "a point must be"),
        ([[0.2, 100]], "a point must be"),
        ([0.2], "a point must be"),
        ([], "1 to 1000 points, got 0"),
        ([[0.2, 100, 9]] * 1001, "at most 1000 points"),
        ({}, "at most 1000 points"),
    ],
)
def test_a_curve_that_makes_no_sense_is_one_line(points, words):
    with pytest.raises(InputError) as error:
        bundle_from_json(stored(selective={"pages": 100, "points": points}), "bundle.json")
    assert words in str(error.value) and "bundle.json: 'selective'" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("curve", [None, [], {"pages": 100}, {"pages": 100, "points": POINTS, "more": 1}])
def test_a_curve_is_its_pages_and_points(curve):
    with pytest.raises(InputError, match="'selective' must be an object with pages and points"):
        bundle_from_json(stored(selective=curve), "bundle.json")


@pytest.mark.parametrize("pages", ["100", True, 1.5, None])
def test_pages_are_a_whole_number(pages):
    with pytest.raises(InputError, match="'selective' must have a number of pages"):
        bundle_from_json(stored(selective={"pages": pages, "points": POINTS}), "bundle.json")


def test_format_3_without_its_curve_is_refused():
    content = stored()
    del content["selective"]
    with pytest.raises(InputError, match="the bundle has no field 'selective'"):
        bundle_from_json(content, "bundle.json")
