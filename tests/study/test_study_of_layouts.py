"""The report of a study of layouts. Oracles: the stored reports, and the paired difference of metrics."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from distildoc.evaluate.layout import LayoutTable, layout_report
from distildoc.evaluate.layout_files import read_layout_predictions, write_layouts
from distildoc.metrics import paired_difference
from distildoc.metrics.detection import maps
from distildoc.metrics.detection_matching import FoundBoxes, TrueBoxes
from distildoc.study import load, write_report

BOXES = np.array([[0, 30 * row, 90, 30 * row + 20] for row in range(4)], float)
CLASSES = np.array([0, 0, 0, 1])
MISSED = {"supervised": 9, "query_kd": 4}  # pages of 12 on which the table is missed
PAGES = 12


def table_of(missed: int) -> LayoutTable:
    truth = TrueBoxes(BOXES, CLASSES, np.zeros(4, bool))
    seen = FoundBoxes(BOXES, CLASSES, np.array([0.9, 0.8, 0.7, 0.6]))
    less = FoundBoxes(BOXES[:3], CLASSES[:3], np.array([0.9, 0.8, 0.7]))
    found = tuple(less if page < missed else seen for page in range(PAGES))
    ids = tuple(f"page{page}" for page in range(PAGES))
    return LayoutTable(ids, ("text", "table"), ((130, 100),) * PAGES, (None,) * PAGES, (truth,) * PAGES, found, found)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layouts")
    cells = []
    for method, missed in MISSED.items():
        evaluation = folder / "runs" / method / "evaluation"
        evaluation.mkdir(parents=True)
        (folder / "runs" / method / "run.json").write_text(json.dumps({"name": method, "method": method, "seed": 0}))
        (evaluation / "report.json").write_text(json.dumps(layout_report(table_of(missed)).to_json()))
        write_layouts(table_of(missed), evaluation)
        base = None if method == "supervised" else "supervised"
        cells.append({"name": method, "key": method, "at": {"method": method}, "seed": 0, "baseline": base})
        cells[-1]["folder"] = f"runs/{method}"
    content = {"format": 1, "name": "layouts", "about": "", "rows": "method", "columns": None, "seeds": [0]}
    content |= {"axes": {"method": ["query_kd"]}, "baseline": "supervised", "cells": cells, "before": []}
    (folder / "cells.json").write_text(json.dumps(content))
    return folder


def test_the_report_speaks_of_map_and_of_pages_alone(study: Path, tmp_path: Path) -> None:
    written = write_report(study, tmp_path / "out")
    text = re.sub(r"<[^>]+>|\s+", " ", written[0].read_text(encoding="utf-8"))
    assert "mAP" in text
    assert "of pages alone: with one seed nothing is said of others" in text
    assert "ECE" not in text
    assert tmp_path / "out" / "tables" / "study.tex" in written


def test_the_difference_in_map_is_that_of_the_stored_detections(study: Path, tmp_path: Path) -> None:
    write_report(study, tmp_path / "out")
    with (tmp_path / "out" / "tables" / "places.csv").open() as file:
        rows = {(row["method"], row["score"]): row for row in csv.DictReader(file)}
    ours, theirs = (
        read_layout_predictions(study / "runs" / name / "evaluation") for name in ("query_kd", "supervised")
    )
    expected = paired_difference(maps, ours, theirs, resamples=2000)
    found = rows["query_kd", "map"]
    assert float(found["difference"]) == pytest.approx(expected.value)
    assert (float(found["difference_low"]), float(found["difference_high"])) == pytest.approx(
        (expected.low, expected.high)
    )
    assert load(study).set_index("method")["map"]["query_kd"] == pytest.approx(float(found["value"]))
