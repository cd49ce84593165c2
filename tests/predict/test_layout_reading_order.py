"""Pages made by hand, each with the order in which a person reads it."""

import numpy as np
import pytest

from distildoc.predict import reading_order as module
from distildoc.predict.reading_order import reading_order

PAGES = {
    "one column": [("a", 10, 10, 90, 20), ("b", 10, 25, 90, 60), ("c", 10, 65, 60, 90)],
    "two columns under a title": [
        *(("title", 10, 2, 90, 8), ("l1", 5, 10, 48, 40), ("l2", 5, 42, 48, 90)),
        *(("r1", 52, 10, 95, 30), ("r2", 52, 32, 95, 90)),
    ],
    "paragraphs of two columns at the same height": [
        *(("l1", 5, 10, 48, 40), ("l2", 5, 45, 48, 90), ("r1", 52, 10, 95, 40), ("r2", 52, 45, 95, 90)),
    ],
    "a figure across two columns": [
        *(("l1", 5, 5, 48, 30), ("r1", 52, 5, 95, 30), ("figure", 5, 35, 95, 60), ("caption", 20, 61, 80, 64)),
        *(("l2", 5, 70, 48, 95), ("r2", 52, 70, 95, 95)),
    ],
    "a figure across the foot of two columns": [
        *(("l1", 5, 5, 48, 30), ("l2", 5, 32, 48, 60), ("r1", 52, 5, 95, 30), ("r2", 52, 32, 95, 60)),
        ("figure", 5, 65, 95, 95),
    ],
    "three columns": [
        *(("a1", 2, 10, 30, 50), ("a2", 2, 52, 30, 90), ("b1", 35, 10, 63, 90)),
        *(("c1", 68, 10, 98, 40), ("c2", 68, 42, 98, 90)),
    ],
    "columns that touch a little": [
        *(("l1", 5, 10, 51, 40), ("l2", 5, 42, 50, 90), ("r1", 49, 10, 95, 40), ("r2", 50, 42, 95, 90)),
    ],
    "regions that overlap in height": [("a", 10, 10, 90, 32), ("b", 10, 30, 90, 60), ("c", 10, 58, 90, 90)],
    "a list indented under its heading": [
        *(("heading", 10, 10, 40, 14), ("i1", 15, 16, 90, 20), ("i2", 15, 22, 60, 26), ("after", 10, 30, 90, 50)),
    ],
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_regions_are_read_as_people_read_them_in_whatever_order_they_come(name, seed):
    rows = [PAGES[name][place] for place in np.random.default_rng(seed).permutation(len(PAGES[name]))]
    order = reading_order(np.array([row[1:] for row in rows], float), ["text"] * len(rows))
    assert [rows[place][0] for place in order] == [row[0] for row in PAGES[name]]


def test_headers_come_first_and_footers_last_wherever_they_stand():
    boxes = np.array([[5, 10, 95, 90], [5, 95, 20, 99], [60, 91, 90, 94], [5, 3, 30, 6]], float)
    assert reading_order(boxes, ["text", "page_header", "page_footer", "page_header"]) == [3, 1, 0, 2]


def test_no_regions_have_no_order():
    assert reading_order(np.zeros((0, 4)), []) == []


def test_boxes_that_contradict_each_other_still_come_out_once_each():
    generator = np.random.default_rng(0)
    corners = generator.random((60, 2)) * 80
    boxes = np.concatenate([corners, corners + generator.random((60, 2)) * 60], 1)
    assert sorted(reading_order(boxes, ["text"] * 60)) == list(range(60))


def test_a_page_with_very_many_boxes_is_read_from_top_to_bottom(monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    boxes = np.array([[50, 10, 90, 20], [0, 30, 40, 40], [0, 0, 40, 5], [50, 50, 90, 60]], float)
    assert reading_order(boxes, ["text"] * 4) == [2, 0, 1, 3]
