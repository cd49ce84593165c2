"""Runs that find regions: the same page, in their own scores. Oracle: the scores of the stored reports."""

import json
import re

import numpy as np
import pytest

from distildoc.evaluate.layout import LayoutTable, layout_report
from distildoc.evaluate.layout_files import write_layouts
from distildoc.metrics.detection_matching import FoundBoxes, TrueBoxes
from distildoc.schema.errors import InputError
from distildoc.study import write_page
from distildoc.study.groups import group_runs, layout_gain
from distildoc.study.runs import read_runs
from distildoc.study.shown import SHOWN
from distildoc.study.summary import summary

LABELS = ("text", "table")
COST = {"parameters": 41_000.0, "height": 64.0, "width": 48.0}


def table_with(missed, pages=12):
    """Three texts and a table a page; the first `missed` pages miss the table, and every page finds one too many."""
    boxes = np.array([[0, 30 * row, 90, 30 * row + 20] for row in range(5)], float)
    classes = np.array([0, 0, 0, 1])
    truth = TrueBoxes(boxes[:4], classes, np.zeros(4, bool))
    seen = FoundBoxes(boxes, np.array([0, 0, 0, 1, 1]), np.array([0.9, 0.8, 0.7, 0.6, 0.65]))
    less = FoundBoxes(boxes[:3], np.array([0, 0, 0]), np.array([0.9, 0.8, 0.7]))
    found = tuple(less if number < missed else seen for number in range(pages))
    ids = tuple(f"page{number}" for number in range(pages))
    return LayoutTable(ids, LABELS, ((100, 160),) * pages, (None,) * pages, (truth,) * pages, found, found)


@pytest.fixture
def make_layout_run(make_run):
    def make(name, missed, **record):
        folder = make_run(name, None, **record)
        (folder / "evaluation").mkdir()
        table = table_with(missed)
        report = {**layout_report(table).to_json(), "cost": COST}
        (folder / "evaluation" / "report.json").write_text(json.dumps(report))
        write_layouts(table, folder / "evaluation")
        return folder

    return make


@pytest.fixture
def page(tmp_path):
    def make(*folders):
        return write_page(folders, tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    return make


@pytest.fixture
def three(make_layout_run):
    return [
        make_layout_run("teacher", 0, method="supervised"),
        make_layout_run("supervised", 8, method="supervised"),
        make_layout_run("kd", 3),
    ]


def test_page_speaks_of_map(page, three):
    text = re.sub(r"<[^>]+>|\s+", " ", page(*three))
    text = re.sub(r"\s+", " ", text)
    groups = group_runs(read_runs(three))
    best = groups[-1].report.scores["map"].value
    assert f"Of 2 students, kd has the highest mAP: {best:.3f} on 12 pages" in text
    assert "points against the supervised student" in text
    assert "mAP at IoU .50 to .95 on the test pages" in text
    assert "most accurate" not in text
    assert "Confusion" not in text


def test_page_has_the_charts_that_have_points(page, three):
    html = page(*three)
    assert html.count("<figure") == 2  # mAP, reliability
    assert "Average precision of each class" in html


def test_gain_is_that_of_the_scores_and_averages_the_seeds(make_layout_run):
    runs = [make_layout_run(f"kd-s{seed}", 2 + seed, seed=seed) for seed in range(2)]
    runs += [make_layout_run(f"supervised-s{seed}", 8, seed=seed, method="supervised") for seed in range(2)]
    supervised, kd = group_runs(read_runs(runs))
    gain = layout_gain(kd, supervised)
    assert gain.value == pytest.approx(kd.score("map").value - supervised.score("map").value)
    assert 0 < gain.low <= gain.value <= gain.high


def test_gain_wants_stored_regions_of_the_same_pages(make_layout_run, make_run):
    kd, other = (group_runs(read_runs([folder]))[0] for folder in (make_layout_run("kd", 2), make_run("nkd", 20)))
    assert layout_gain(kd, other) is None
    folder = make_layout_run("small", 2)
    write_layouts(table_with(2, pages=11), folder / "evaluation")
    assert layout_gain(kd, group_runs(read_runs([folder]))[0]) is None


def test_runs_of_two_tasks_make_no_page(page, make_layout_run, make_run):
    with pytest.raises(InputError, match=r"different tasks \(classification, detection\)"):
        page(make_layout_run("kd", 2), make_run("nkd", 20))


def test_nothing_scored_is_said_the_same_way(make_run):
    groups = group_runs(read_runs([make_run("kd", None)]))
    assert summary(groups, {}, SHOWN["detection"]) == ["No student has been evaluated yet."]
