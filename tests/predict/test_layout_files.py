import json
import re
import subprocess
import sys

import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from distildoc.predict.files import parse_thresholds, predict_files
from distildoc.schema import pdfs
from distildoc.schema.errors import InputError

REGIONS = [("Title", (0.05, 0.05, 0.95, 0.2), 0.9), ("Text", (0.05, 0.3, 0.95, 0.9), 0.45)]
RESULTS = ["hocr", "markdown", "overlay", "predictions.coco.json", "predictions.json"]


@pytest.fixture
def layout_bundle(fixed_layout, tmp_path):
    return fixed_layout.write_bundle(tmp_path / "bundle", REGIONS)


@pytest.fixture
def pdf(tmp_path):
    canvas = Canvas(str(tmp_path / "doc.pdf"), pagesize=(300, 400))
    for number in (1, 2, 3):
        canvas.setFont("Helvetica", 20)
        canvas.drawString(30, 350, f"Heading {number}")
        canvas.drawString(30, 200, f"Body {number}")
        canvas.showPage()
    canvas.save()
    return tmp_path / "doc.pdf"


def break_second_page(pdf):
    """Turn the second page object into a number, leaving every offset of the file as it is."""
    content = pdf.read_bytes()
    objects = re.finditer(rb"\d+ 0 obj\n(.*?)\nendobj", content, re.DOTALL)
    pages = [found.span(1) for found in objects if re.search(rb"/Type /Page\b", found[1])]
    assert len(pages) == 3
    start, end = pages[1]
    pdf.write_bytes(content[:start] + b"42".ljust(end - start) + content[end:])


def test_a_pdf_becomes_all_five_formats(layout_bundle, pdf, tmp_path):
    summary = predict_files(layout_bundle, [pdf], tmp_path / "out")
    assert (summary.pages, summary.failed) == (3, 0)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == RESULTS
    assert sorted(path.name for path in summary.written) == RESULTS
    text = (tmp_path / "out" / "markdown" / "doc.pdf.md").read_text()
    assert "# Heading 2\n\nBody 2\n" in text  # the text of a region that is not shown is not lost
    assert sorted(path.name for path in (tmp_path / "out" / "overlay").iterdir()) == [
        f"doc.pdf#{number}.png" for number in (1, 2, 3)
    ]


def test_a_broken_page_leaves_the_others_and_is_reported(layout_bundle, pdf, tmp_path):
    break_second_page(pdf)
    with pytest.raises(InputError, match=r"doc\.pdf, page 2: cannot draw .* --skip-bad"):
        predict_files(layout_bundle, [pdf], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    summary = predict_files(layout_bundle, [pdf], tmp_path / "out", skip_bad=True)
    assert (summary.pages, summary.failed) == (2, 1)
    content = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [page["page"] for page in content["pages"]] == [1, 3]
    (failed,) = content["failed"]
    assert (failed["id"], failed["page"]) == ("doc.pdf#2", 2)
    text = (tmp_path / "out" / "markdown" / "doc.pdf.md").read_text()
    assert "Heading 1" in text and "page 2 could not be read" in text and "Heading 3" in text


def test_thresholds_are_given_for_all_classes_or_one(layout_bundle, pdf, tmp_path):
    for options, shown in ((["0.4"], 2), (["0.4", "Text=0.5"], 1), (["Title=0.95"], 0)):
        predict_files(layout_bundle, [pdf], tmp_path / "out", formats=["json"], thresholds=options, pages="1")
        (page,) = json.loads((tmp_path / "out" / "predictions.json").read_text())["pages"]
        assert len(page["regions"]) == shown


@pytest.mark.parametrize("option", ["x", "1.2", "Text=", "=0.5x", "nan", "-0.1"])
def test_a_threshold_that_is_none_is_refused(option):
    with pytest.raises(InputError, match="write a score from 0 to 1"):
        parse_thresholds([option], ["Text"])


def test_a_threshold_of_an_unknown_class_shows_the_closest():
    with pytest.raises(InputError, match="unknown class 'Txt'; closest: Text"):
        parse_thresholds(["Txt=0.5"], ["Text", "Table"])


def test_options_of_layouts_are_refused_for_a_classifier(bundle, folder, tmp_path):
    with pytest.raises(InputError, match="OCR is for layouts"):
        predict_files(bundle, [folder], tmp_path / "out", ocr=True)
    with pytest.raises(InputError, match="thresholds are for layouts"):
        predict_files(bundle, [folder], tmp_path / "out", thresholds=["0.4"])


def test_options_of_classifiers_are_refused_for_layouts(layout_bundle, pdf, tmp_path):
    with pytest.raises(
        InputError, match=r"an error rate is for classes; this bundle predicts the layout .* --threshold"
    ):
        predict_files(layout_bundle, [pdf], tmp_path / "out", max_error=0.02)


def test_a_format_of_the_other_task_shows_what_there_is(layout_bundle, pdf, tmp_path):
    with pytest.raises(InputError, match="unknown result format 'csv'"):
        predict_files(layout_bundle, [pdf], tmp_path / "out", formats=["csv"])


def test_a_second_run_replaces_the_folders_of_the_first(layout_bundle, pdf, tmp_path):
    predict_files(layout_bundle, [pdf], tmp_path / "out")
    Image.new("RGB", (30, 40)).save(tmp_path / "scan.png")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    predict_files(layout_bundle, [tmp_path / "scan.png"], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "overlay").iterdir()] == ["scan.png.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*RESULTS, "notes.txt"])


def test_a_failed_run_keeps_the_folders_of_an_earlier_one(layout_bundle, pdf, tmp_path):
    predict_files(layout_bundle, [pdf], tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    break_second_page(pdf)
    with pytest.raises(InputError):
        predict_files(layout_bundle, [pdf], tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_formats_without_text_do_not_read_it(layout_bundle, pdf, tmp_path, monkeypatch):
    monkeypatch.setattr("distildoc.predict.files.own_words", lambda page: pytest.fail("read"))
    predict_files(layout_bundle, [pdf], tmp_path / "out", formats=["coco", "overlay"])


def test_text_that_cannot_be_read_fails_the_page(layout_bundle, pdf, tmp_path, monkeypatch):
    def fails(page):
        raise InputError("doc.pdf: no text")

    monkeypatch.setattr("distildoc.predict.files.own_words", fails)
    assert predict_files(layout_bundle, [pdf], tmp_path / "out", skip_bad=True).failed == 3


def test_a_document_is_opened_to_count_its_pages_and_once_more(layout_bundle, pdf, tmp_path, monkeypatch):
    opened = []
    original = pdfs.PdfFile._document
    monkeypatch.setattr(pdfs.PdfFile, "_document", lambda self: (opened.append(1), original(self))[1])
    predict_files(layout_bundle, [pdf], tmp_path / "out")
    assert len(opened) == 2


WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "pydantic", "accelerate", "safetensors", "onnx", "scipy"}:
            raise ImportError(f"{name} must not be imported")

sys.meta_path.insert(0, Blocked())
from distildoc.predict.files import predict_files
print(predict_files(*sys.argv[1:2], sys.argv[2:3], sys.argv[3]).pages)
"""


def test_a_layout_bundle_runs_where_torch_cannot_be_imported(layout_bundle, pdf, tmp_path):
    command = [sys.executable, "-c", WITHOUT_TORCH, str(layout_bundle), str(pdf), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "3\n"
