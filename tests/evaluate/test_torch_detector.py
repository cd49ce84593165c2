"""Oracle: a detector whose answers are fixed shares of its input, so that every box can be counted by hand."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from distildoc.core.model import Detector, Normalise, Places
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet
from distildoc.data.targets import BoxTargets
from distildoc.evaluate.cost import cost_of
from distildoc.evaluate.layout import TorchDetector, evaluate_layout, layout_score, thresholds_on
from distildoc.evaluate.layout_score import outcomes_on
from distildoc.evaluate.torch_detector import detect
from distildoc.models.detectors.build import build_detector
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page, Region
from distildoc.schema.predictions import Predictor
from distildoc.schema.preprocess import Preprocess

LABELS = ("text", "table")
SQUARE = Preprocess(64, 64, "pad")


class Says(nn.Module):
    """The same regions on every page, as sigmoid^-1 of the scores, cxcywh in shares of the input."""

    def __init__(self, boxes, scores):
        super().__init__()
        self.boxes = nn.Parameter(torch.tensor(boxes, dtype=torch.float32))
        self.logits = nn.Parameter(torch.logit(torch.tensor(scores, dtype=torch.float32)))
        self.norm = nn.BatchNorm2d(3)

    def forward(self, maps, targets=None):
        self.norm(maps[0])  # tells train from eval mode
        count = len(maps[0])
        return {"boxes": self.boxes.expand(count, -1, -1), "logits": self.logits.expand(count, -1, -1)}


class Levels(nn.Module):
    def forward(self, pixels):
        return [pixels]


def detector(boxes, scores):
    places = Places("", "body", ("body",), levels=("body",))
    return Detector(Levels(), Says(boxes, scores), normalise=Normalise(), labels=LABELS, places=places, recipe={})


@pytest.fixture
def two():
    """Left half as text, and a box over the right border as table."""
    return detector([[0.25, 0.5, 0.5, 1.0], [1.0, 0.5, 0.5, 0.5]], [[0.9, 0.2], [1e-9, 0.6]])


def make_page(number=0, size=(100, 200), stored=None, regions=None, broken=False):
    def load(longest_px):
        if broken:
            raise InputError("cut short")
        return Image.new("L", stored or size, color=255)

    return Page(f"p{number}", f"p{number}", 1, load, regions=regions, size=size)


def test_is_a_predictor(two):
    assert isinstance(TorchDetector(two, SQUARE), Predictor)


def test_boxes_are_in_pixels_of_the_page_and_within_it(two):
    (layout,) = TorchDetector(two, Preprocess(64, 64, "stretch"))([make_page()])
    assert layout.size == (100, 200)
    np.testing.assert_allclose(layout.boxes, [[0, 0, 50, 200], [75, 50, 100, 150], [0, 0, 50, 200]], atol=1e-4)
    np.testing.assert_allclose(layout.scores, [0.9, 0.6, 0.2], atol=1e-6)
    assert layout.classes.tolist() == [0, 1, 1]
    assert (layout.boxes.dtype, layout.classes.dtype, layout.scores.dtype) == (np.float32, np.int64, np.float32)


def test_padding_is_no_part_of_the_page(two):
    # a page of 100 x 200 takes the left half of a square: the left half of the input is the whole page
    (layout,) = TorchDetector(two, SQUARE)([make_page()])
    np.testing.assert_allclose(layout.boxes[0], [0, 0, 100, 200], atol=1e-4)
    np.testing.assert_allclose(layout.boxes[1], [100, 50, 100, 150], atol=1e-4)  # all of it in the padding


def test_regions_count_in_the_size_of_the_page_also_where_the_image_is_smaller(two):
    (layout,) = TorchDetector(two, SQUARE)([make_page(size=(1000, 2000), stored=(50, 100))])
    np.testing.assert_allclose(layout.boxes[0], [0, 0, 1000, 2000], rtol=1e-6)


def test_page_without_a_size_counts_in_pixels_of_its_image(two):
    (layout,) = TorchDetector(two, SQUARE)([make_page(size=None, stored=(40, 80))])
    assert layout.size == (40, 80)


def test_limit_keeps_the_most_certain(two):
    (layout,) = TorchDetector(two, SQUARE, limit=1)([make_page()])
    assert layout.scores.tolist() == [pytest.approx(0.9)]


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_unreadable_pages_come_back_in_their_place_and_modes_stay(two, batch):
    two.train()
    pages = [make_page(0, broken=True), make_page(1), make_page(2, broken=True), make_page(3), make_page(4)]
    answers = list(TorchDetector(two, SQUARE, batch=batch)(pages))
    assert [isinstance(answer, FailedPage) for answer in answers] == [True, False, True, False, False]
    assert two.head.norm.training
    assert two.head.norm.num_batches_tracked == 0


def test_network_that_says_nan_fails_on_the_page_instead_of_finding_nothing(two):
    with torch.no_grad():
        two.head.logits[0] = torch.nan
    (answer,) = TorchDetector(two, SQUARE)([make_page()])
    assert isinstance(answer, FailedPage)
    assert "not finite" in answer.reason
    with pytest.raises(ValueError, match="not a finite number"):
        layout_score(two, loader_of([make_page(0, regions=(Region("text", (0, 0, 9, 9)),))]))


def loader_of(pages, preprocess=SQUARE):
    data = PageSet(tuple(pages), LABELS, "made pages")
    targets = BoxTargets(data, LABELS, preprocess)
    return Loader(data, LABELS, preprocess, batch=2, seed=0, shuffle=False, targets=targets)


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_score_on_a_loader_equals_the_evaluation_in_pixels(fit):
    preprocess = Preprocess(64, 64, fit)
    model = detector([[0.25, 0.25, 0.5, 0.4], [0.2, 0.7, 0.3, 0.2]], [[0.9, 0.2], [0.3, 0.6]])
    regions = [
        (Region("text", (0, 20, 90, 90)), Region("table", (5, 115, 70, 160))),
        (Region("table", (0, 0, 99, 90)),),
        (Region("text", (0, 20, 50, 90)), Region("text", (0, 110, 50, 170))),
        (),
    ]
    pages = [make_page(number, regions=some) for number, some in enumerate(regions)]
    found = evaluate_layout(TorchDetector(model, preprocess), pages).report.scores["map"].value
    assert 0 < found < 1
    assert layout_score(model, loader_of(pages, preprocess)) == pytest.approx(found, abs=1e-9)


def test_pages_of_unknown_layout_are_passed_over(two):
    known = [make_page(0, regions=(Region("text", (0, 0, 100, 200)),)), make_page(1, regions=())]
    found = outcomes_on(two, loader_of([*known, make_page(2, regions=None)]))
    assert len(found) == 2
    assert found.true.sum() == 1


def test_threshold_on_a_loader_is_between_the_hit_and_what_follows():
    model = detector([[0.25, 0.5, 0.5, 1.0], [0.25, 0.5, 0.2, 0.2]], [[0.8, 1e-9], [0.4, 1e-9]])
    found = thresholds_on(model, loader_of([make_page(0, regions=(Region("text", (0, 0, 100, 200)),))]))
    assert found == {"text": pytest.approx(0.6), "table": 0.5}


def test_loader_without_regions_is_named(two):
    with pytest.raises(InputError, match="made pages: no region on 1 pages"):
        layout_score(two, loader_of([make_page(0, regions=())]))


def test_least_likely_regions_are_left_out(two):
    (found,) = detect(two, torch.zeros(1, 3, 64, 64))
    assert len(found.scores) == 3  # of 2 queries x 2 classes; one has a score of 1e-9


def test_cost_of_a_detector_counts_weights_and_products():
    model = build_detector(
        "d-fine-micro", labels=LABELS, size=(128, 128), channels=3, pretrained=False, seed=0, queries=50, denoising=10
    )
    cost = cost_of(model, (128, 128), runs=2)
    assert cost["parameters"] == sum(weight.numel() for weight in model.parameters())
    assert cost["macs"] > 1e7
    assert cost["latency_ms"] > 0
