import csv
import json
import tracemalloc

import numpy as np
import pytest

from distildoc.predict.writers import csv as csv_writer
from distildoc.predict.writers import json as json_writer
from distildoc.schema.bundle import read_bundle
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Classification

WRITERS = [json_writer, csv_writer]
FAILED = FailedPage("b.pdf", "scans/b.pdf", 0, 'needs a password, "quoted"')


@pytest.fixture
def prediction(hand):
    page = Page('sub/ä "1".png', "scans/ä.png", 2, lambda px: None)
    return Classification(page, hand.labels, np.array([0.1, 0.6, 0.2, 0.1], np.float32))


def test_json_holds_every_probability_and_failure(bundle, hand, prediction, tmp_path):
    with json_writer.writing(tmp_path / "out.json", read_bundle(bundle)) as write:
        for page in (prediction, FAILED, prediction):
            write(page)
    content = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert content["bundle"] == {
        "id": read_bundle(bundle).id,
        "task": "classification",
        "labels": list(hand.labels),
    }
    first, second = content["pages"]
    assert first == second
    assert (first["id"], first["source"], first["page"]) == ('sub/ä "1".png', "scans/ä.png", 2)
    assert (first["label"], first["confidence"]) == ("form", 0.6)
    assert first["probabilities"] == pytest.approx(dict(zip(hand.labels, (0.1, 0.6, 0.2, 0.1), strict=True)))
    assert content["failed"] == [
        {"id": "b.pdf", "source": "scans/b.pdf", "page": 0, "reason": 'needs a password, "quoted"'}
    ]


def test_json_without_pages_is_valid(bundle, tmp_path):
    with json_writer.writing(tmp_path / "out.json", read_bundle(bundle)):
        pass
    content = json.loads((tmp_path / "out.json").read_text())
    assert (content["pages"], content["failed"]) == ([], [])


def test_csv_reads_back_with_labels_that_hold_commas(bundle, hand, prediction, tmp_path):
    with csv_writer.writing(tmp_path / "out.csv", read_bundle(bundle)) as write:
        write(prediction)
        write(FAILED)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["id"], first["page"], first["label"], first["error"]) == ('sub/ä "1".png', "2", "form", "")
    assert [float(first[f"p:{label}"]) for label in hand.labels] == pytest.approx([0.1, 0.6, 0.2, 0.1])
    assert (second["label"], second["error"]) == ("", 'needs a password, "quoted"')


@pytest.mark.parametrize("writer", WRITERS)
def test_memory_does_not_grow_with_the_pages(writer, bundle, prediction, tmp_path):
    with writer.writing(tmp_path / "out", read_bundle(bundle)) as write:
        for _ in range(200):
            write(prediction)
        tracemalloc.start()
        for _ in range(3000):
            write(prediction)
        grown = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert grown < 100_000  # bytes; 3,000 records are about 600,000
