import numpy as np
import pytest

from distildoc.predict.postprocess import non_maximum_suppression, overlaps, postprocess
from distildoc.schema.pages import Page
from distildoc.schema.predictions import Layout

PAGE = Page("a", "a.png", 1, lambda px: None)


def layout(rows):
    """Rows of label position, box and score."""
    classes, boxes, scores = zip(*rows, strict=True)
    return Layout(
        PAGE,
        ("Text", "Table"),
        (100, 100),
        np.array(boxes, np.float32),
        np.array(classes, np.int64),
        np.array(scores, np.float32),
    )


def test_overlap_of_hand_made_boxes():
    first = np.array([[0, 0, 10, 10]], np.float32)
    second = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [0, 0, 5, 5], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    assert overlaps(first, second)[0] == pytest.approx([1, 50 / 150, 25 / 100, 0, 0])


def test_suppression_equals_the_definition_box_by_box():
    generator = np.random.default_rng(0)
    corners = generator.random((200, 2)) * 60
    boxes = np.concatenate([corners, corners + 5 + generator.random((200, 2)) * 30], 1).astype(np.float32)

    def iou(a, b):
        common = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
        return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)

    kept = []
    for place, box in enumerate(boxes.astype(float)):
        if all(iou(box, boxes[other].astype(float)) <= 0.4 for other in kept):
            kept.append(place)
    assert 5 < len(kept) < 150
    assert non_maximum_suppression(boxes, 0.4).tolist() == kept


def test_each_class_has_its_own_threshold_and_the_rest_the_default():
    found = layout([(0, (0, 0, 9, 9), 0.45), (1, (20, 0, 29, 9), 0.45), (1, (40, 0, 49, 9), 0.8)])
    assert postprocess(found, thresholds={"Text": 0.4}).scores.tolist() == pytest.approx([0.8, 0.45])
    assert postprocess(found, thresholds={}).scores.tolist() == pytest.approx([0.8])


def test_two_classes_on_one_place_are_one_region_where_overlaps_are_dropped():
    found = layout([(0, (0, 0, 10, 10), 0.6), (1, (0, 0, 10, 9), 0.9), (0, (0, 20, 10, 30), 0.7)])
    shown = postprocess(found, thresholds={}, nms_iou=0.5)
    assert shown.classes.tolist() == [1, 0]
    assert shown.boxes.tolist() == [[0, 0, 10, 9], [0, 20, 10, 30]]
    assert len(postprocess(found, thresholds={})) == 3


def test_regions_without_area_are_no_regions():
    assert len(postprocess(layout([(0, (5, 5, 5, 9), 0.9)]), thresholds={})) == 0


def test_a_page_without_regions_stays_one():
    empty = Layout(
        PAGE, ("Text",), (9, 9), np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32)
    )
    assert len(postprocess(empty, thresholds={}, nms_iou=0.5)) == 0
