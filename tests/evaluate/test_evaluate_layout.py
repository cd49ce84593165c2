"""Oracles: pycocotools on the files of an evaluation, and hand values."""

import contextlib
import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from distildoc.evaluate.layout import evaluate_layout, read_layout_predictions, read_layouts, write_layout
from distildoc.metrics import paired_difference
from distildoc.metrics.detection import maps
from distildoc.predict.postprocess import postprocess
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page, Region
from distildoc.schema.predictions import Layout
from distildoc.schema.report import read_report

LABELS = ("text", "title", "table")
SIZE = (200, 300)
GROUPS = ("laws", "patents", None)


def make_page(number, regions=(), **known):
    def load(longest_px):
        return Image.new("L", SIZE, color=255)

    return Page(f"p{number}.png", f"p{number}.png", 1, load, regions=regions, size=SIZE, **known)


def made_pages(count=9):
    """Every page but page 4 has a title and two or three paragraphs, and page 0 a crowd of them; no table anywhere."""
    pages = []
    for number in range(count):
        boxes = [(20.0, 40.0 + 60 * row + number, 180.0, 80.0 + 60 * row) for row in range(2 + number % 2)]
        regions = [Region("title", (30, 5, 150.5, 25)), *(Region("text", box) for box in boxes)]
        if number == 0:
            regions.append(Region("text", (10, 220, 190, 290), crowd=True))
        pages.append(make_page(number, () if number == 4 else tuple(regions), group=GROUPS[number % 3]))
    return pages


class Reads:
    """A predictor that knows the regions: moves them by `shift` pixels, and sees a table in every corner."""

    labels = LABELS

    def __init__(self, shift=0.0, broken=()):
        self.shift, self.broken = shift, broken

    def __call__(self, pages):
        for page in pages:
            if page.id in self.broken:
                yield FailedPage(page.id, page.source, page.number, "cut short")
                continue
            boxes = [*(region.box for region in page.regions), (0, 0, 9, 9)]
            shift = np.array([self.shift, 0, self.shift, 0])
            classes = [*(LABELS.index(region.label) for region in page.regions), 2]
            scores = np.append(np.linspace(0.95, 0.35, len(page.regions)), 0.15).astype(np.float32)
            yield Layout(page, LABELS, SIZE, (boxes + shift).astype(np.float32), np.array(classes), scores)


def coco_stats(folder, name="detections.json"):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "truth.json"))
        judge = COCOeval(truth, truth.loadRes(str(folder / name)), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats


shown = partial(postprocess, thresholds={"text": 0.3, "title": 0.3, "table": 0.5})


@pytest.fixture(scope="module")
def evaluation():
    return evaluate_layout(Reads(shift=12), made_pages(), post=shown, source={"model": "toy"})


@pytest.fixture(scope="module")
def folder(evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("layout") / "evaluation"
    assert write_layout(evaluation, path) == path / "report.json"
    return path


def test_perfect_regions_score_one_where_no_class_is_made_up():
    report = evaluate_layout(Reads(), made_pages(), post=shown).report
    assert report.scores["map"].value == pytest.approx(1)
    assert report.scores["recall"].value == report.scores["precision"].value == 1  # tables have scores below .5
    assert (report.task, report.primary, report.pages, report.failed) == ("detection", "map", 9, 0)


def test_files_score_in_pycocotools_as_the_report_says(evaluation, folder):
    scores = evaluation.report.scores
    raw, post = coco_stats(folder), coco_stats(folder, "detections_post.json")
    assert 0 < raw[0] < 1
    for number, name in enumerate(("map", "ap50", "ap75")):
        assert scores[name].value == pytest.approx(raw[number], abs=1e-9)
        assert scores[f"{name}_post"].value == pytest.approx(post[number], abs=1e-9)


def test_report_survives_its_file_and_names_what_was_scored(evaluation, folder):
    report = read_report(folder / "report.json")
    assert report == evaluation.report
    assert report.source["model"] == "toy"
    assert set(report.slices) == {"class: text", "class: title", "class: table", "group: laws", "group: patents"}
    assert set(report.slices["class: title"]) == {"ap", "ap50", "recall", "precision", "f1"}
    assert "ap" not in report.slices["class: table"]  # no true one
    assert report.confusion == report.risk_coverage == ()


def test_group_scores_are_those_of_its_pages_alone(evaluation):
    pages = [page for page in made_pages() if page.group == "laws"]
    alone = evaluate_layout(Reads(shift=12), pages, post=shown).report
    assert evaluation.report.slices["group: laws"] == alone.scores


def test_precision_and_recall_at_iou_half_are_the_hand_counts():
    # page 1 of two: title, three paragraphs; page 0: title, two paragraphs, a crowd. Scores fall evenly from .95 to .15
    report = evaluate_layout(
        Reads(), made_pages(2), post=partial(postprocess, thresholds=dict.fromkeys(LABELS, 0.5))
    ).report
    # page 0: title .95, text .75, .55, crowd .35, table .15; page 1: title .95, text .75, .55, .35, table .15
    assert report.scores["precision"].value == 1
    assert report.scores["recall"].value == pytest.approx(6 / 7)
    assert report.scores["f1"].value == pytest.approx(12 / 13)
    assert report.slices["class: text"]["recall"].value == pytest.approx(4 / 5)


def test_what_is_read_back_is_what_was_written(evaluation, folder):
    table, back = evaluation.table, read_layouts(folder)
    assert (back.pages, back.labels, back.sizes, back.groups) == (table.pages, table.labels, table.sizes, table.groups)
    for ours, theirs in ((table.found, back.found), (table.post, back.post)):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one.boxes, other.boxes)
            np.testing.assert_array_equal(one.scores, other.scores)
            np.testing.assert_array_equal(one.classes, other.classes)
    assert back.hash == table.hash


def test_two_stored_runs_can_be_compared(folder, tmp_path):
    write_layout(evaluate_layout(Reads(), made_pages()), tmp_path / "better")
    better, worse = read_layout_predictions(tmp_path / "better"), read_layout_predictions(folder)
    difference = paired_difference(maps, better, worse, resamples=200)
    assert 0 < difference.low <= difference.value <= difference.high
    assert not (tmp_path / "better" / "detections_post.json").exists()


def test_hash_of_the_pages_changes_with_a_region_and_not_with_the_order():
    def hash_of(pages):
        return evaluate_layout(Reads(), pages).report.source["pages_hash"]

    pages = made_pages(3)
    assert hash_of(pages) == hash_of(pages[::-1])
    assert hash_of(pages) != hash_of([*pages[:2], make_page(2, (Region("title", (1, 1, 9, 9)),))])


def test_pictures_have_something_on_them(folder):
    for name in ("classes", "precision_recall", "scores"):
        with Image.open(folder / f"{name}.png") as image:
            assert min(image.size) > 250
            assert len(image.convert("RGB").getcolors(maxcolors=1 << 24)) > 20


def test_unreadable_pages_stop_it_or_are_counted(tmp_path):
    with pytest.raises(InputError, match=r"p2.png: cut short; leave out unreadable pages"):
        evaluate_layout(Reads(broken={"p2.png"}), made_pages())
    found = evaluate_layout(Reads(broken={"p2.png"}), made_pages(), skip_bad=True)
    assert (found.report.pages, found.report.failed) == (8, 1)
    write_layout(found, tmp_path / "e")
    assert (tmp_path / "e" / "failed.csv").read_text() == "page,reason\np2.png,cut short\n"


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ([], "no page to evaluate"),
        ([make_page(0), make_page(1)], "no region on any of the 2 pages"),
        ([make_page(0, None)], "'p0.png' has no known layout"),
        ([make_page(0), make_page(0)], "'p0.png' comes twice"),
        ([make_page(0, (Region("tabel", (0, 0, 1, 1)),))], "unknown class 'tabel'; closest: table"),
    ],
)
def test_pages_that_cannot_be_scored_are_named(pages, message):
    with pytest.raises(InputError, match=message):
        evaluate_layout(Reads(), pages)


def test_pages_of_which_nothing_is_said_are_named():
    class Silent:
        labels = LABELS

        def __call__(self, pages):
            list(pages)
            return iter(())

    with pytest.raises(InputError, match="gave 0 answers for 9 pages"):
        evaluate_layout(Silent(), made_pages())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("detections.json", "{}", "a list of objects"),
        ("detections.json", "[", "not valid JSON"),
        ("detections.json", '[{"image_id": 1}]', "a box without"),
        ("detections.json", '[{"image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}]', "not there"),
        ("detections.json", '[{"image_id": 1, "category_id": 1, "bbox": [0, 0, NaN, 1], "score": 0.5}]', "not finite"),
        ("detections.json", '[{"image_id": 1, "category_id": 1, "bbox": [0, 1], "score": 0.5}]', "a box without"),
        ("truth.json", '{"images": [], "annotations": [], "categories": []}', "no page, or a page twice"),
        ("truth.json", '{"images": [{"id": 3, "file_name": "a"}], "annotations": [], "categories": []}', "numbered"),
    ],
)
def test_files_that_cannot_be_used_are_named(folder, tmp_path, name, content, message):
    for kept in ("truth.json", "detections.json"):
        (tmp_path / kept).write_text(content if kept == name else (folder / kept).read_text())
    with pytest.raises(InputError, match=f"{name}.*{message}"):
        read_layouts(tmp_path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"truth.json: no such file"):
        read_layouts(tmp_path)


def test_no_detection_at_all_scores_zero_and_can_be_stored(tmp_path):
    found = evaluate_layout(Reads(), made_pages(), post=partial(postprocess, thresholds=dict.fromkeys(LABELS, 1.0)))
    assert found.report.scores["map_post"].value == 0
    assert "precision" not in found.report.scores  # nothing is shown
    write_layout(found, tmp_path / "e")
    assert json.loads((tmp_path / "e" / "detections_post.json").read_text()) == []
    assert read_layouts(tmp_path / "e").post_outcomes.whole[0, 0] == 0


def test_files_load_in_supervision(folder, tmp_path):
    supervision = pytest.importorskip("supervision", reason="supervision is not installed: pip install distildoc[dev]")
    for page in made_pages():
        page.image().convert("RGB").save(tmp_path / page.id)
    data = supervision.DetectionDataset.from_coco(str(tmp_path), str(folder / "truth.json"))
    table = read_layouts(folder)
    assert data.classes == list(LABELS)
    assert len(data) == 9
    for page, truth in zip(table.pages, table.truth, strict=True):
        theirs = next(found for path, found in data.annotations.items() if Path(path).name == page)
        np.testing.assert_allclose(theirs.xyxy.reshape(-1, 4), truth.boxes, atol=1e-3)
        np.testing.assert_array_equal(theirs.class_id, truth.classes)
