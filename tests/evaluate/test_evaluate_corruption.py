"""Scores on damaged pages, against hand values."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from distildoc.evaluate.corruption import class_scores, layout_scores, robustness
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page, Region
from distildoc.schema.predictions import Layout


def test_accuracy_aurc_and_ece_of_four_pages_by_hand(page, said) -> None:
    answers = {
        "page0": [0.9, 0.1, 0.0],  # right
        "page1": [0.7, 0.2, 0.1],  # wrong
        "page2": [0.1, 0.3, 0.6],  # right
        "page3": [0.5, 0.3, 0.2],  # wrong
    }
    pages = [page(0, "letter"), page(1, "memo"), page(2, "form"), page(3, "form")]
    found = class_scores(said(answers), pages)
    assert set(found) == {"accuracy", "aurc", "ece"}
    assert found["accuracy"] == 0.5
    assert found["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert found["ece"] == pytest.approx((0.1 + 0.7 + 0.4 + 0.5) / 4, abs=1e-6)  # each alone in a bin of 15


def test_a_page_that_cannot_be_read_or_has_no_class_is_named(page, said) -> None:
    with pytest.raises(InputError, match="page0: cut short"):
        class_scores(said({"page0": None}), [page(0, "letter")])
    with pytest.raises(InputError, match="page 'page0' has no label"):
        class_scores(said({"page0": [1.0, 0.0, 0.0]}), [page(0)])
    with pytest.raises(InputError, match="no page to score"):
        class_scores(said({}), [])


class Finds:
    """A predictor that finds one given text region on every page."""

    labels = ("Table", "Text")

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self.box = box

    def __call__(self, pages: Iterable[Page]) -> Iterator[Layout | FailedPage]:
        for page in pages:
            boxes, classes, scores = np.array([self.box], np.float32), np.array([1]), np.array([0.9], np.float32)
            yield Layout(page, self.labels, (100, 100), boxes, classes, scores)


def layout_page(*regions: Region) -> Page:
    return Page("p", "p", 1, lambda longest: pytest.fail("not read"), regions=regions, size=(100, 100))


def test_a_box_of_iou_two_thirds_counts_at_the_four_lower_thresholds() -> None:
    page = layout_page(Region("Text", (0.0, 0.0, 40.0, 60.0)))
    found = layout_scores(Finds((0.0, 0.0, 40.0, 40.0)), [page])
    assert found == {"map": pytest.approx(0.4), "ap50": pytest.approx(1.0)}  # IoU .50, .55, .60, .65 of ten


def test_pages_without_a_region_cannot_be_scored() -> None:
    with pytest.raises(InputError, match="no region on 1 pages"):
        layout_scores(Finds((0.0, 0.0, 40.0, 40.0)), [layout_page()])


def test_mean_weighs_all_settings_alike_and_relative_is_the_share_lost() -> None:
    damaged = {
        ("blur", 1): {"accuracy": 0.8, "ece": 0.1},
        ("blur", 5): {"accuracy": 0.4, "ece": 0.3},
        ("fax", 1): {"accuracy": 0.6, "ece": 0.2},
    }
    found = robustness({"accuracy": 0.8, "ece": 0.1}, damaged)
    assert found.kinds == {
        "blur": [{"severity": 1, "accuracy": 0.8, "ece": 0.1}, {"severity": 5, "accuracy": 0.4, "ece": 0.3}],
        "fax": [{"severity": 1, "accuracy": 0.6, "ece": 0.2}],
    }
    assert found.mean == {"accuracy": pytest.approx(0.6), "ece": pytest.approx(0.2)}
    assert found.relative == {"accuracy": pytest.approx(0.25)}


def test_a_clean_score_of_zero_has_no_share_lost() -> None:
    assert robustness({"map": 0.0, "ap50": 0.0}, {("fax", 1): {"map": 0.0, "ap50": 0.0}}).relative == {}
