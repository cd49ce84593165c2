"""OCR of pictures, with a stand-in for the recogniser; the real one where it is installed."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

from distildoc.predict.files import predict_files
from distildoc.predict.ocr import open_ocr
from distildoc.predict.page_text import words_or_ocr
from distildoc.schema.pages import Page
from distildoc.schema.sources import pages_from

RED = Page("red", "red.png", 1, lambda px: Image.new("RGB", (200, 100), "red"))


@pytest.fixture
def recogniser(monkeypatch):
    """Finds the same two words on every picture; gives the pictures it was shown."""
    shown = []

    class RapidOCR:
        def __init__(self, params):
            self.params = params

        def __call__(self, image, *, return_word_box):
            shown.append(image)
            line = (
                ("Hello", 0.9, [[20, 10], [60, 12], [60, 22], [20, 20]]),
                (" ", 0.5, [[60, 10], [62, 10], [62, 20], [60, 20]]),
                ("world", 0.8, [[70, 10], [250, 10], [250, 20], [70, 20]]),
            )
            return SimpleNamespace(word_results=(line,))

    module = ModuleType("rapidocr")
    module.RapidOCR = RapidOCR
    monkeypatch.setitem(sys.modules, "rapidocr", module)
    return shown


def test_words_stand_in_shares_of_the_page_and_keep_their_confidence(recogniser):
    first, second = open_ocr()(RED)
    assert (first.text, first.confidence) == ("Hello", 0.9)
    assert first.box == pytest.approx((0.1, 0.1, 0.3, 0.22))
    assert second.box == pytest.approx((0.35, 0.1, 1.0, 0.2))  # cut off at the edge of the page


def test_the_recogniser_gets_blue_first(recogniser):
    open_ocr()(RED)
    assert recogniser[0][0, 0].tolist() == [0, 0, 255]


def test_pages_with_text_of_their_own_are_not_recognised(recogniser, tmp_path):
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(300, 400))
    canvas.drawString(30, 350, "own")
    canvas.showPage()
    canvas.showPage()
    canvas.save()
    first, second = [[word.text for word in words_or_ocr()(page)] for page in pages_from([tmp_path / "a.pdf"])]
    assert (first, second, len(recogniser)) == (["own"], ["Hello", "world"], 1)


def test_the_text_of_a_scan_comes_out_in_markdown(recogniser, fixed_layout, tmp_path):
    bundle = fixed_layout.write_bundle(tmp_path / "bundle", [("Title", (0, 0, 1, 0.5), 0.9)])
    RED.image().save(tmp_path / "scan.png")
    predict_files(bundle, [tmp_path / "scan.png"], tmp_path / "out", formats=["markdown"], ocr=True)
    assert "# Hello world\n" in (tmp_path / "out" / "markdown" / "scan.png.md").read_text()


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ImportError, match=r"pip install 'distildoc\[ocr\]'"):
        open_ocr()


@pytest.mark.slow
def test_the_real_recogniser_reads_a_printed_line():
    pytest.importorskip("rapidocr")
    image = Image.new("RGB", (1240, 600), "white")
    ImageDraw.Draw(image).text((100, 200), "The quick brown fox", font=ImageFont.load_default(28), fill="black")
    words = open_ocr(1)(Page("a", "a.png", 1, lambda px: image))
    assert "".join(word.text for word in words).replace(" ", "") == "Thequickbrownfox"
    assert all(0 <= side <= 1 for word in words for side in word.box)
    assert np.mean([word.confidence for word in words]) > 0.8
