"""Words of PDFs made for the purpose, whose places are known in points."""

from pathlib import Path

import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from distildoc.schema import pdf_text
from distildoc.schema.pages import Page
from distildoc.schema.pdfs import PdfPage
from distildoc.schema.sources import page_size, pages_from
from distildoc.schema.words import Word

WIDTH, HEIGHT = 400.0, 200.0


def page_of(path: Path) -> tuple[Page, PdfPage]:
    (page,) = pages_from([path])
    assert isinstance(page, Page)
    assert isinstance(page.load, PdfPage)
    return page, page.load


def written(path: Path, *lines: tuple[float, float, str], rotation: int = 0, crop: bool = False) -> list[Word]:
    """Words of a page with lines of Helvetica 20 at x, y in points from the lower left."""
    canvas = Canvas(str(path), pagesize=(WIDTH, HEIGHT))
    canvas.setPageRotation(rotation)
    if crop:
        canvas.setCropBox((100, 50, 300, 150))
    canvas.setFont("Helvetica", 20)
    for x, y, text in lines:
        canvas.drawString(x, y, text)
    canvas.showPage()
    canvas.save()
    return page_of(path)[1].words()


def test_words_stand_where_they_were_drawn(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.pdf", (40, 100, "Hello world"))
    assert (first.text, second.text) == ("Hello", "world")
    left, top, right, bottom = first.box
    assert left == pytest.approx(40 / WIDTH, abs=0.01)
    assert right == pytest.approx((40 + stringWidth("Hello", "Helvetica", 20)) / WIDTH, abs=0.01)
    assert bottom == pytest.approx(1 - 100 / HEIGHT, abs=0.01)
    assert top == pytest.approx(1 - 114 / HEIGHT, abs=0.02)  # capital letters are 0.7 of 20 points high
    assert second.box[0] > right


def test_words_of_a_turned_page_stand_where_it_shows_them(tmp_path: Path) -> None:
    (word,) = written(tmp_path / "a.pdf", (40, 180, "corner"), rotation=90)
    page, _ = page_of(tmp_path / "a.pdf")
    assert page_size(page) == (round(WIDTH * 150 / 72), round(HEIGHT * 150 / 72))  # it lies 200 x 400 in the file
    left, top, right, bottom = word.box  # x comes to be the way down, y the way from the left
    assert left == pytest.approx(180 / WIDTH, abs=0.02)
    assert top == pytest.approx(40 / HEIGHT, abs=0.02)
    assert (bottom - top) * HEIGHT > (right - left) * WIDTH


def test_words_outside_the_crop_box_are_left_out(tmp_path: Path) -> None:
    (word,) = written(tmp_path / "a.pdf", (10, 10, "outside"), (120, 100, "inside"), crop=True)
    assert word.text == "inside"
    assert word.box[0] == pytest.approx(20 / 200, abs=0.01)
    assert word.box[3] == pytest.approx(0.5, abs=0.05)


def test_a_page_without_text_has_no_words(tmp_path: Path) -> None:
    assert written(tmp_path / "a.pdf") == []


def test_what_is_read_of_one_page_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_text, "MAX_CHARACTERS", 7)
    assert [word.text for word in written(tmp_path / "a.pdf", (40, 100, "Hello world"))] == ["Hello", "w"]


def test_real_pages_give_their_words_in_reading_direction(real_data: Path) -> None:
    _, page = page_of(real_data / "pdfs" / "us-003.pdf")
    words = page.words()
    assert [word.text for word in words[:2]] == ["Appendix", "A—Glossary"]
    assert len(words) > 450
    assert all(0 <= side <= 1 for word in words for side in word.box)
