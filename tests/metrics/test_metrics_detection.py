"""Oracles: pycocotools on the same boxes, and hand values."""

import contextlib
import io
import json
import time

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from distildoc.metrics import LAYOUT_SCORES, intervals, layout_outcomes, paired_difference, paired_difference_of_means
from distildoc.metrics.bootstrap import draws
from distildoc.metrics.detection import (
    average_precisions,
    layout_map,
    maps,
)
from distildoc.metrics.detection_matching import FoundBoxes, TrueBoxes, coco_results, coco_truth

LABELS = ("text", "title", "table", "picture")


def true_boxes(boxes=(), classes=(), crowd=None):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    return TrueBoxes(boxes, np.array(classes, np.int64), np.array(crowd or [False] * len(boxes), bool))


def found_boxes(boxes=(), classes=(), scores=()):
    return FoundBoxes(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64), np.array(scores, np.float32)
    )


def random_boxes(generator, count):
    corner, size = generator.uniform(0, 500, (count, 2)), generator.uniform(5, 200, (count, 2))
    return np.concatenate([corner, corner + size], axis=1)


def noisy(generator, page, *, classes, spurious, jitter=0.08, sure=0.0):
    """Detections: the true boxes moved a little, some twice, some of another class, and boxes from nowhere.

    `sure` is how much higher the true ones score.
    """
    times = generator.integers(0, 3, len(page.classes))
    boxes = np.repeat(page.boxes, times, axis=0)
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes = boxes + generator.normal(0, jitter, boxes.shape) * sides
    names = np.repeat(page.classes, times)
    wrong = generator.random(len(names)) < 0.2
    names = np.where(wrong, generator.integers(0, classes, len(names)), names)
    boxes = np.concatenate([boxes, random_boxes(generator, spurious)])
    names = np.concatenate([names, generator.integers(0, classes, spurious)])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    scores = generator.random(len(names)) + sure * (np.arange(len(names)) < len(wrong))
    scores = np.round(scores / (1 + sure), 2)  # two digits: many ties
    return found_boxes(boxes, names, scores)


def made_pages(seed, pages=12, spurious=30):
    """Pages of up to 15 boxes, one in eight of them a crowd; class 3 has none; page 1 is empty, on page 2 is nothing
    found, page 3 has boxes on no truth and page 4 more than 100 detections of one class."""
    generator = np.random.default_rng(seed)
    truth, found = [], []
    for number in range(pages):
        count = 0 if number in (1, 3) else int(generator.integers(1, 16))
        classes = generator.integers(0, 3, count)
        truth.append(true_boxes(random_boxes(generator, count), classes, list(generator.random(count) < 0.125)))
        more = 0 if number == 1 else 400 if number == 4 else spurious
        found.append(noisy(generator, truth[-1], classes=4, spurious=more))
        if number in (1, 2):
            found[-1] = found_boxes()
    return truth, found


def reference(truth, found, labels=LABELS):
    """pycocotools: (map, ap50, ap75, AP by class with NaN for -1)."""
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = json.loads(json.dumps(coco_truth(truth, labels)))
        data.createIndex()
        judge = COCOeval(data, data.loadRes(json.loads(json.dumps(coco_results(found)))), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    precision = judge.eval["precision"][:, :, :, 0, 2]
    known = np.where(precision < 0, np.nan, precision)
    return (*judge.stats[:3], known.mean((0, 1)))


@pytest.mark.parametrize("seed", range(6))
def test_scores_equal_pycocotools_on_random_pages_with_crowds_ties_and_empty_pages(seed):
    truth, found = made_pages(seed)
    assert any(page.crowd.any() for page in truth)
    assert max(np.bincount(page.classes).max(initial=0) for page in found) > 100
    outcomes = layout_outcomes(truth, found, LABELS)
    whole = np.ones((1, len(truth)))
    *three, classes = reference(truth, found)
    ours = [score(outcomes, whole)[0] for score in LAYOUT_SCORES.values()]
    np.testing.assert_allclose(ours, three, rtol=0, atol=1e-12)
    np.testing.assert_allclose(outcomes.whole.mean(0), classes, rtol=0, atol=1e-12)
    assert np.isnan(outcomes.whole[:, 3]).all()


def test_scores_equal_pycocotools_on_real_pages_with_noisy_copies_of_their_boxes(real_data):
    data = json.loads((real_data / "poleval" / "val.json").read_text())
    generator = np.random.default_rng(0)
    truth = []
    for image in data["images"]:
        mine = [one for one in data["annotations"] if one["image_id"] == image["id"]]
        boxes = np.array([one["bbox"] for one in mine]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        truth.append(true_boxes(boxes, [one["category_id"] - 1 for one in mine]))
    labels = [one["name"] for one in data["categories"]]
    found = [noisy(generator, page, classes=11, spurious=100, jitter=0.03, sure=1.0) for page in truth]
    outcomes = layout_outcomes(truth, found, labels)
    assert len(outcomes) == 51
    assert outcomes.true.sum() == 596
    *three, classes = reference(truth, found, labels)
    ours = [score(outcomes, np.ones((1, 51)))[0] for score in LAYOUT_SCORES.values()]
    assert 0.1 < three[0] < 0.9
    np.testing.assert_allclose(ours, three, rtol=0, atol=1e-12)
    np.testing.assert_allclose(outcomes.whole.mean(0), classes, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_score_of_a_draw_equals_pycocotools_on_the_pages_drawn(seed):
    truth, found = made_pages(seed, pages=8)
    # scores without ties: copies of a page stand together in ours and behind other pages in theirs
    generator = np.random.default_rng(seed)
    found = [FoundBoxes(page.boxes, page.classes, generator.random(len(page.classes))) for page in found]
    outcomes = layout_outcomes(truth, found, LABELS)
    for counts in next(draws(8, seed=seed, resamples=5)):
        drawn = np.repeat(np.arange(8), counts.astype(int))
        theirs = reference([truth[i] for i in drawn], [found[i] for i in drawn])
        np.testing.assert_allclose(
            [score(outcomes, counts[None])[0] for score in LAYOUT_SCORES.values()], theirs[:3], rtol=0, atol=1e-12
        )


def test_half_of_the_boxes_found_scores_half():
    # recalls up to .5 are reached at precision 1: 51 of the 101 points
    truth = [true_boxes([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 0])]
    assert layout_map(truth, [found_boxes([[0, 0, 10, 10]], [0], [0.3])], LABELS) == pytest.approx(51 / 101)


def test_box_at_iou_0_8_counts_at_seven_thresholds():
    truth = [true_boxes([[0, 0, 10, 10]], [1])]  # .50 to .80 of .50 to .95
    assert layout_map(truth, [found_boxes([[0, 0, 10, 8]], [1], [0.3])], LABELS) == pytest.approx(0.7)


def test_detection_in_a_crowd_is_neither_hit_nor_miss():
    truth = [true_boxes([[0, 0, 100, 100], [200, 0, 210, 10]], [0, 0], [True, False])]
    boxes = [[10, 10, 20, 20], [30, 30, 40, 40], [200, 0, 210, 10]]
    assert layout_map(truth, [found_boxes(boxes, [0] * 3, [0.9, 0.8, 0.1])], LABELS) == pytest.approx(1)


def test_pages_without_any_true_box_have_no_score():
    outcomes = layout_outcomes([true_boxes()], [found_boxes([[0, 0, 5, 5]], [0], [0.9])], LABELS)
    assert np.isnan(maps(outcomes, np.ones((1, 1)))[0])
    assert intervals(outcomes, LAYOUT_SCORES, seed=0) == {}


def test_pages_on_which_nothing_is_found_score_zero():
    assert layout_map([true_boxes([[0, 0, 5, 5]], [0])], [found_boxes()], LABELS) == 0
    generous = [true_boxes([[0, 0, 5, 5]], [0]), true_boxes()]
    assert layout_map(generous, [found_boxes(), found_boxes([[0, 0, 5, 5]], [0], [0.5])], LABELS) == 0


def test_scale_of_an_axis_changes_no_score():
    truth, found = made_pages(3)
    scale = np.array([1 / 600, 1 / 800, 1 / 600, 1 / 800])
    small = [TrueBoxes(page.boxes * scale, page.classes, page.crowd) for page in truth]
    less = [FoundBoxes(page.boxes.astype(float) * scale, page.classes, page.scores) for page in found]
    assert layout_map(small, less, LABELS) == pytest.approx(layout_map(truth, found, LABELS), abs=1e-9)


def test_selected_pages_score_as_if_matched_alone():
    truth, found = made_pages(1)
    rows = np.array([7, 0, 4])
    some = layout_outcomes(truth, found, LABELS).select(rows)
    alone = layout_outcomes([truth[i] for i in rows], [found[i] for i in rows], LABELS)
    np.testing.assert_array_equal(some.whole, alone.whole)
    assert some.same_pages(alone)


def test_every_draw_in_one_piece_equals_many_pieces(monkeypatch):
    outcomes = layout_outcomes(*made_pages(2), LABELS)
    counts = next(draws(12, seed=0, resamples=30))
    together = average_precisions(outcomes, counts)
    monkeypatch.setattr("distildoc.metrics.detection.ROOM", 1000)
    np.testing.assert_array_equal(average_precisions(outcomes, counts), together)


def test_paired_difference_of_means_is_that_of_the_mean_scores_and_narrower_than_one_run():
    truth, _ = made_pages(0, pages=40)
    good, bad = (
        [
            layout_outcomes(
                truth, [noisy(generator, page, classes=4, spurious=5, jitter=jitter) for page in truth], LABELS
            )
            for generator in map(np.random.default_rng, range(3))
        ]
        for jitter in (0.02, 0.06)
    )
    whole = np.ones((1, 40))
    found = paired_difference_of_means(maps, good, bad, resamples=300)
    means = [np.mean([maps(one, whole)[0] for one in side]) for side in (good, bad)]
    assert found.value == pytest.approx(means[0] - means[1])
    assert found.low < found.value < found.high
    one = paired_difference(maps, good[0], bad[0], resamples=300)
    assert found.high - found.low < one.high - one.low


def test_paired_difference_refuses_other_true_boxes():
    a, b = layout_outcomes(*made_pages(0), LABELS), layout_outcomes(*made_pages(1), LABELS)
    with pytest.raises(ValueError, match="the same pages"):
        paired_difference(maps, a, b)
    with pytest.raises(ValueError, match="a run on either side"):
        paired_difference_of_means(maps, [a], [])


@pytest.mark.parametrize(
    ("truth", "found", "message"),
    [
        (true_boxes([[0, 0, 1, 1]], [4]), found_boxes(), "true boxes of page 0: classes from 0 to 3"),
        (true_boxes(), found_boxes([[0, 0, 1, np.nan]], [0], [0.5]), "found boxes of page 0: a box or score is not"),
        (true_boxes(), found_boxes([[0, 0, 1, 1]], [0], [0.5, 0.5]), "do not fit"),
    ],
)
def test_boxes_that_cannot_be_scored_are_named(truth, found, message):
    with pytest.raises(ValueError, match=message):
        layout_outcomes([truth], [found], LABELS)


@pytest.mark.slow
def test_intervals_of_51_pages_with_300_detections_take_seconds():
    generator = np.random.default_rng(0)
    truth = [true_boxes(random_boxes(generator, 12), generator.integers(0, 11, 12)) for _ in range(51)]
    found = [noisy(generator, page, classes=11, spurious=288) for page in truth]
    start = time.process_time()
    outcomes = layout_outcomes(truth, found, [str(number) for number in range(11)])
    intervals(outcomes, LAYOUT_SCORES, seed=0)
    assert time.process_time() - start < 10  # 1.5 s on a quiet core
