"""predict.fusion against the numbers of its authors' package (ensemble-boxes 1.0.9), and several bundles as one."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from typer.testing import CliRunner

from distildoc.cli.main import app
from distildoc.predict.files import predict_files
from distildoc.predict.fusion import FusedLayouts, fused
from distildoc.predict.layout import OnnxLayout
from distildoc.predict.open import open_bundle
from distildoc.schema.bundle import Bundle, Graph, read_bundle
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Layout
from distildoc.schema.preprocess import Preprocess

LABELS = ("Text", "Table")
SEEN = [  # by detector: box, class, score
    [((0.1, 0.1, 0.5, 0.2), 0, 0.9), ((0.1, 0.3, 0.5, 0.6), 1, 0.8), ((0.62, 0.1, 0.9, 0.4), 0, 0.3)],
    [((0.11, 0.1, 0.52, 0.21), 0, 0.6), ((0.12, 0.29, 0.5, 0.61), 1, 0.7), ((0.1, 0.7, 0.4, 0.9), 1, 0.5)],
    [((0.09, 0.11, 0.5, 0.2), 0, 0.75), ((0.6, 0.12, 0.9, 0.41), 0, 0.2), ((0.13, 0.33, 0.51, 0.6), 0, 0.65)],
]
FUSED = [  # what ensemble-boxes makes of them with iou_thr 0.55 and skip_box_thr 0.05
    ((0.099333, 0.103333, 0.505333, 0.202667), 0, 0.75),
    ((0.109333, 0.295333, 0.5, 0.604667), 1, 0.5),
    ((0.13, 0.33, 0.51, 0.6), 0, 0.216667),
    ((0.1, 0.7, 0.4, 0.9), 1, 0.166667),
    ((0.612, 0.108, 0.9, 0.404), 0, 0.166667),
]
TITLE, TEXT = ("Title", (0.1, 0.1, 0.5, 0.2), 0.9), ("Text", (0.1, 0.3, 0.9, 0.9), 0.6)


def blank(name="a", load=lambda px: Image.new("RGB", (100, 100))):
    return Page(name, "a.png", 1, load)


def layout(rows, labels=LABELS, page=None):
    boxes, classes, scores = zip(*rows, strict=True) if rows else ((), (), ())
    columns = np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64), np.array(scores, np.float32)
    return Layout(page or blank(), labels, (1, 1), *columns)


def test_regions_are_fused_as_by_the_authors():
    found = fused([layout([*rows, ((0.1, 0.3, 0.5, 0.58), 0, 0.04)]) for rows in SEEN])  # and one too unsure to count
    assert_allclose(found.scores, sorted(found.scores, reverse=True))
    boxes, classes, scores = zip(*FUSED, strict=True)
    order, wanted = np.argsort(found.boxes[:, 1]), np.argsort(np.array(boxes)[:, 1])
    assert_allclose(found.boxes[order], np.array(boxes)[wanted], atol=1e-6)
    assert_allclose(found.scores[order], np.array(scores)[wanted], atol=1e-6)
    assert found.classes[order].tolist() == np.array(classes)[wanted].tolist()


def test_the_order_of_detectors_does_not_matter():
    found, turned = fused([layout(rows) for rows in SEEN]), fused([layout(rows) for rows in SEEN[::-1]])
    assert_allclose(turned.boxes, found.boxes, atol=1e-6)
    assert_allclose(turned.scores, found.scores, atol=1e-6)


def test_a_detector_fused_with_itself_stays_as_it_is():
    alone = layout([((0.1, 0.1, 0.5, 0.2), 0, 0.9), ((0.1, 0.3, 0.5, 0.6), 1, 0.8)])
    found = fused([alone, alone, alone])
    assert_allclose(found.boxes, alone.boxes, atol=1e-6)
    assert_allclose(found.scores, alone.scores, atol=1e-6)


def test_pages_on_which_nothing_was_seen_are_empty():
    assert len(fused([layout([]), layout([])])) == 0
    assert fused([layout([]), layout(SEEN[0])]).scores.tolist() == pytest.approx([0.45, 0.4, 0.15])


def test_layouts_of_two_pages_or_none_are_refused():
    with pytest.raises(ValueError, match="differ in page or classes"):
        fused([layout([]), layout([], page=blank("b"))])
    with pytest.raises(ValueError, match="no layout to fuse"):
        fused([])


@pytest.fixture
def two(fixed_layout, tmp_path):
    """Bundles that agree on a title, though not on its place; the second sees a text besides."""
    lower = ("Title", (0.1, 0.12, 0.5, 0.22), 0.3)
    return [
        fixed_layout.write_bundle(tmp_path / "first", [TITLE]),
        fixed_layout.write_bundle(tmp_path / "second", [lower, TEXT]),
    ]


def test_bundles_answer_as_one(two):
    (found,) = open_bundle(two[0], others=two[1:])([blank()])
    assert [found.labels[place] for place in found.classes] == ["Title"]  # the text has half of its score
    assert_allclose(found.boxes, [[10, 10.5, 50, 20.5]], atol=1e-4)
    assert_allclose(found.scores, [0.6], atol=1e-6)
    (lower,) = open_bundle(two[0], others=two[1:], thresholds={"Text": 0.25})([blank()])
    assert [lower.labels[place] for place in lower.classes] == ["Title", "Text"]


def test_a_page_that_cannot_be_read_fails_once_and_the_others_go_on(two):
    def broken(px):
        raise InputError("no image")

    members = [OnnxLayout(folder) for folder in two]
    first, second = FusedLayouts(members, two)([blank("bad", broken), blank("good")])
    assert isinstance(first, FailedPage) and first.id == "bad"
    assert isinstance(second, Layout) and second.page.id == "good"


def test_classes_in_another_order_are_the_same_classes():
    class Fixed:
        def __init__(self, labels, rows):
            self.labels, self._rows, self.thresholds = labels, rows, {}
            self.bundle = Bundle("detection", labels, Preprocess(8, 8), 1.0, Graph("g", (), (), 18), {})

        def raw(self, pages):
            return (layout(self._rows, self.labels, page) for page in pages)

    rows = SEEN[0]
    turned = [(box, 1 - kind, score) for box, kind, score in rows]
    (found,) = FusedLayouts([Fixed(LABELS, rows), Fixed(LABELS[::-1], turned)], ["a", "b"]).raw([blank()])
    assert found.labels == LABELS
    assert_allclose(found.scores, [0.9, 0.8, 0.3], atol=1e-6)
    with pytest.raises(InputError, match=r"b: bundles that answer as one need the same classes.*'Title'"):
        FusedLayouts([Fixed(LABELS, rows), Fixed(("Title", *LABELS), rows)], ["a", "b"])


def test_labels_for_pages_without_any_come_from_the_command_line(two, tmp_path):
    Image.new("RGB", (100, 100)).save(tmp_path / "page.png")
    command = ["predict", str(two[0]), str(tmp_path / "page.png"), "--with", str(two[1]), "--format", "coco"]
    done = CliRunner().invoke(app, [*command, "--threshold", "0.25", "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "out" / "predictions.coco.json").read_text())
    assert [round(one["score"], 3) for one in content["annotations"]] == [0.6, 0.3]
    both = " + ".join(read_bundle(folder).id for folder in two)
    assert content["info"]["description"] == f"layout bundle {both}"


def test_a_bundle_that_is_named_twice_is_refused(two, tmp_path):
    with pytest.raises(InputError, match="second: that bundle is named twice"):
        open_bundle(two[0], others=[two[1], two[1]])


def test_a_classifier_has_nobody_to_answer_with(bundle, two, folder, tmp_path):
    with pytest.raises(InputError, match="only bundles of layouts answer together"):
        predict_files(bundle, [folder], tmp_path / "out", others=two)
