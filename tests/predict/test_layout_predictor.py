import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

import distildoc
from distildoc.predict.layout import OnnxLayout, load_layout
from distildoc.predict.onnx_runtime import load
from distildoc.schema.bundle import stored
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Predictor
from distildoc.schema.sources import pages_from

REGIONS = [("Text", (0.1, 0.2, 0.5, 0.4), 0.6), ("Title", (0.1, 0.05, 0.9, 0.1), 0.9), ("Table", (0, 0.5, 1, 1), 0.3)]


@pytest.fixture
def layout_bundle(fixed_layout, tmp_path):
    return fixed_layout.write_bundle(tmp_path / "bundle", REGIONS)


def blank(width, height, **given):
    return Page(f"{width}x{height}", "x.png", 1, lambda px: Image.new("RGB", (width, height)), **given)


@pytest.mark.parametrize("batch", [1, 2])
def test_boxes_are_in_pixels_of_each_page_the_most_certain_first(layout_bundle, batch):
    first, second, third = load_layout(layout_bundle, batch=batch)([blank(100, 200), blank(60, 40), blank(10, 10)])
    assert [first.labels[place] for place in first.classes] == ["Title", "Text"]
    assert_allclose(first.boxes, [[10, 10, 90, 20], [10, 40, 50, 80]], atol=1e-4)
    assert_allclose(second.boxes[1], [6, 8, 30, 16], atol=1e-4)
    assert (first.size, second.size, third.size) == ((100, 200), (60, 40), (10, 10))
    assert_allclose(first.scores, [0.9, 0.6], atol=1e-6)


def test_raw_gives_everything_the_network_says(layout_bundle):
    (found,) = load_layout(layout_bundle).raw([blank(10, 10)])
    assert_allclose(found.scores, [0.9, 0.6, 0.3], atol=1e-6)


def test_thresholds_are_per_class_and_the_users_go_before_the_bundles(fixed_layout, tmp_path):
    bundle = fixed_layout.write_bundle(tmp_path / "bundle", REGIONS, thresholds={"Table": 0.2, "Text": 0.7})
    shown = {"Title", "Table"}
    (found,) = load_layout(bundle)([blank(10, 10)])
    assert {found.labels[place] for place in found.classes} == shown
    (found,) = load_layout(bundle, thresholds={"Text": 0.1})([blank(10, 10)])
    assert {found.labels[place] for place in found.classes} == shown | {"Text"}


def test_a_threshold_of_an_unknown_class_shows_the_closest(layout_bundle):
    with pytest.raises(InputError, match="unknown class 'Tabel'; closest: Table"):
        load_layout(layout_bundle, thresholds={"Tabel": 0.5})


def test_boxes_are_in_the_pixels_that_the_page_is_counted_in(layout_bundle):
    (found,) = load_layout(layout_bundle)([blank(100, 200, size=(1000, 2000))])
    assert_allclose(found.boxes[0], [100, 100, 900, 200], atol=1e-3)


def test_pages_of_a_pdf_are_counted_at_150_dpi(layout_bundle, tmp_path):
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(720, 360))  # points: 10 x 5 inches
    canvas.showPage()
    canvas.save()
    (found,) = load_layout(layout_bundle)(pages_from([tmp_path / "a.pdf"]))
    assert found.size == (1500, 750)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("turned", [False, True])
def test_an_image_is_counted_as_stored_and_upright(layout_bundle, suffix, turned, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1  # a quarter turn
    Image.new("RGB", (300, 120)).save(tmp_path / f"a{suffix}", exif=exif)  # larger than the network asks for
    (page,) = pages_from([tmp_path / f"a{suffix}"])
    (found,) = load_layout(layout_bundle)([page])
    assert found.size == page.image().size == ((120, 300) if turned else (300, 120))


def test_a_page_that_cannot_be_read_keeps_its_place(layout_bundle):
    failed = FailedPage("x", "x.pdf", 0, "needs a password")

    def broken(longest_px):
        raise InputError("b.png: cannot read the image (damaged)")

    first, second, third = load_layout(layout_bundle, batch=3)([failed, Page("b", "b.png", 1, broken), blank(9, 9)])
    assert first == failed
    assert second == FailedPage("b", "b.png", 1, "b.png: cannot read the image (damaged)")
    assert len(third) == 2


def test_pages_are_read_one_at_a_time(layout_bundle):
    asked = []

    def stream():
        for number in range(10):
            asked.append(number)
            yield blank(9, 9)

    next(iter(load_layout(layout_bundle)(stream())))
    assert asked == [0]


def test_is_a_predictor(layout_bundle):
    assert isinstance(load_layout(layout_bundle), Predictor)


def test_numbers_that_are_not_finite_fail_the_page(fixed_layout, tmp_path):
    bundle = fixed_layout.write_bundle(tmp_path / "bundle", [("Text", (0, 0, np.nan, 1), 0.9)])
    (found,) = load_layout(bundle)([blank(9, 9)])
    assert isinstance(found, FailedPage)
    assert "not finite" in found.reason


def rewrite(bundle, **changes):
    content = json.loads((bundle / "bundle.json").read_text())
    record = stored(bundle / "model.onnx")
    content.update(changes, files={"model.onnx": {"sha256": record.sha256, "bytes": record.bytes}})
    (bundle / "bundle.json").write_text(json.dumps(content))


def test_a_class_without_a_name_fails_the_page(layout_bundle):
    rewrite(layout_bundle, labels=["Caption", "Footnote"], thresholds={})
    (found,) = load_layout(layout_bundle)([blank(9, 9)])
    assert isinstance(found, FailedPage)
    assert "class without a name" in found.reason


def test_a_bundle_opens_as_what_it_is_for(layout_bundle):
    assert isinstance(distildoc.load(layout_bundle), OnnxLayout)
    with pytest.raises(InputError, match="predicts the layout of pages, not the classes of pages"):
        load(layout_bundle)


def test_a_classifier_is_no_layout_model_and_takes_no_thresholds(bundle):
    with pytest.raises(InputError, match="predicts the classes of pages or texts, not the layout of pages"):
        load_layout(bundle)
    with pytest.raises(InputError, match="thresholds are for layouts"):
        distildoc.load(bundle, thresholds={"letter": 0.5})


def test_a_graph_with_other_outputs_is_refused(layout_bundle):
    outputs = {"file": "model.onnx", "inputs": ["images", "orig_target_sizes"], "outputs": ["boxes"], "opset": 18}
    rewrite(layout_bundle, graph=outputs)
    with pytest.raises(InputError, match="2 inputs and 3 outputs"):
        load_layout(layout_bundle)
