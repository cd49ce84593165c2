import json

import pytest

from distildoc.schema.bundle import Bundle, Graph, Stored, bundle_from_json
from distildoc.schema.errors import InputError
from distildoc.schema.preprocess import Preprocess

FILES = {"model.onnx": Stored("0" * 64, 3)}


def layouts(**given):
    graph = Graph("model.onnx", ("images", "orig_target_sizes"), ("labels", "boxes", "scores"), 17)
    fields = {"thresholds": {"Text": 0.4}, "nms_iou": 0.7, **given}
    return Bundle("detection", ("Text", "Table"), Preprocess(64, 64), 1.0, graph, FILES, **fields)


def classes():
    graph = Graph("model.onnx", ("pixels",), ("logits",), 18)
    return Bundle("classification", ("letter", "form"), Preprocess(32, 24), 1.5, graph, FILES)


def through_json(bundle):
    return json.loads(json.dumps(bundle.to_json()))


def test_a_layout_bundle_survives_json():
    content = through_json(layouts())
    assert content["format"] == 2
    assert bundle_from_json(content, "x") == layouts()
    assert bundle_from_json(through_json(layouts(nms_iou=None)), "x").nms_iou is None


def test_a_classification_bundle_is_written_as_before_so_that_its_id_stays():
    content = through_json(classes())
    assert content["format"] == 1
    assert not {"thresholds", "nms_iou"} & set(content)
    assert classes().id == "0ad107ddfe7bbbae"  # what version 0.1.0 gave before there were layouts


def test_a_bundle_of_format_1_is_read():
    assert bundle_from_json(through_json(classes()), "x") == classes()


def test_thresholds_belong_to_the_id():
    assert layouts().id != layouts(thresholds={"Text": 0.5}).id


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("thresholds", {"Txt": 0.4}, "names no class with 'Txt'; closest: Text"),
        ("thresholds", {"Text": 1.4}, "'thresholds.Text' must be from 0 to 1, got 1.4"),
        ("thresholds", [0.4], "'thresholds' must be an object"),
        ("nms_iou", "much", "'nms_iou' must be a finite number"),
        ("nms_iou", -1, "'nms_iou' must be from 0 to 1"),
        ("task", "retrieval", "'task' must be one of classification, detection"),
    ],
)
def test_a_bundle_that_makes_no_sense_is_one_line(field, value, words):
    with pytest.raises(InputError, match=words) as error:
        bundle_from_json({**through_json(layouts()), field: value}, "bundle.json")
    assert "\n" not in str(error.value)


def test_a_layout_bundle_without_thresholds_is_refused():
    content = through_json(layouts())
    del content["thresholds"]
    with pytest.raises(InputError, match="the bundle has no field 'thresholds'"):
        bundle_from_json(content, "bundle.json")
