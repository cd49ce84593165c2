"""Single pages: words where the ink is, regions around their words, facts printed, sums that add up."""

import io
import random

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("reportlab")

from distildoc.data.corpus.classes import PAGE_CLASSES, REGION_CLASSES
from distildoc.data.corpus.page import MadePage, PageKey, make_page, typeset
from distildoc.data.corpus.raster import place, render
from distildoc.data.corpus.templates import PLAIN, SHIFTED
from distildoc.data.corpus.templates.invoice import new_bill
from distildoc.data.corpus.writer import Writer


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "shifted"])
def pages(request: pytest.FixtureRequest) -> list[MadePage]:
    return [make_page(PageKey(11, request.param, number)) for number in range(16)]


def _cents(amount: str) -> int:
    return int("".join(letter for letter in amount if letter.isdigit()))


def test_words_and_regions_lie_inside_the_page(pages: list[MadePage]) -> None:
    for page in pages:
        assert page.words and page.regions
        assert max(page.width_px, page.height_px) == 1000
        assert Image.open(io.BytesIO(page.jpeg)).size == (page.width_px, page.height_px)
        for text, (x0, y0, x1, y1) in page.words + page.regions:
            assert text and 0 <= x0 < x1 <= page.width_px and 0 <= y0 < y1 <= page.height_px


def test_most_words_have_contrast_inside_their_box(pages: list[MadePage]) -> None:
    for page in pages:
        grey = np.asarray(Image.open(io.BytesIO(page.jpeg)).convert("L"), dtype=np.float32)
        spread = [np.ptp(grey[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1]) for _, (x0, y0, x1, y1) in page.words]
        assert np.mean(np.array(spread) > 25) > 0.97, page.key


def test_every_word_of_a_clean_page_is_found_by_the_pdf_text_layer_at_its_box() -> None:
    pdfium = pytest.importorskip("pypdfium2")
    checked = 0
    for label in ("letter", "invoice", "specification"):  # set in fonts throughout, so the text layer is complete
        key = PageKey(5, True, PAGE_CLASSES.index(label))
        sheet, _ = typeset(key)
        words, height = sheet.words, sheet.height
        text = pdfium.PdfDocument(sheet.pdf())[0].get_textpage()
        for word in words:
            x0, y0, x1, y1 = word.box
            found = text.get_text_bounded(x0 - 1.5, height - y1 - 2.5, x1 + 1.5, height - y0 + 2.5)
            assert word.text in found.replace("\r\n", " "), (label, word)
            checked += 1
    assert checked > 150


def test_no_ink_is_outside_the_boxes_of_a_page_of_plain_text() -> None:
    sheet, _ = typeset(PageKey(2, False, PAGE_CLASSES.index("specification")))
    boxes = [word.box for word in sheet.words] + [region.box for region in sheet.regions]
    placement = place((sheet.width, sheet.height))
    pixels = np.array(render(sheet.pdf(), placement, colour=False))
    for box in boxes:
        placed = placement.box(box)
        assert placed is not None
        x0, y0, x1, y1 = (int(v) for v in placed)
        pixels[max(y0 - 3, 0) : y1 + 4, max(x0 - 3, 0) : x1 + 4] = 255
    rows = np.flatnonzero((pixels < 128).any(axis=1))
    assert len(rows) <= 3  # the rule under the running head


def test_facts_are_printed_on_the_page() -> None:
    checked = 0
    for shift in (False, True):
        for number in range(32):
            sheet, template = typeset(PageKey(1, shift, number))
            printed = {word.text.strip(".,;:<>()") for word in sheet.words}
            for name, value in sheet.facts.items():
                if name != "number of questions":  # counted, not printed as such
                    missing = [part for part in value.split() if part.strip(".,;:<>()") not in printed]
                    assert not missing, (template, name, value)
                    checked += 1
    assert checked > 120


def test_invoice_totals_add_up() -> None:
    for number in range(20):
        sheet, _ = typeset(PageKey(number, bool(number % 2), PAGE_CLASSES.index("invoice")))
        facts = sheet.facts
        assert _cents(facts["subtotal"]) + _cents(facts["tax"]) == _cents(facts["total"])


def test_invoice_rows_add_up_to_the_subtotal() -> None:
    bill = new_bill(Writer(random.Random(0)), 4, 14)
    assert sum(_cents(row[4]) for row in bill.rows) == bill.subtotal
    assert all(int(row[2]) * _cents(row[3]) == _cents(row[4]) for row in bill.rows)


def test_every_class_has_templates_and_an_exclusive_shifted_one() -> None:
    assert tuple(PLAIN) == tuple(SHIFTED) == PAGE_CLASSES
    for label in PAGE_CLASSES:
        assert len(set(PLAIN[label])) >= 2, label
        assert set(SHIFTED[label]) - set(PLAIN[label]), label


def test_all_region_classes_occur_and_no_other() -> None:
    kinds = {region.kind for number in range(96) for region in typeset(PageKey(0, False, number))[0].regions}
    assert kinds == set(REGION_CLASSES)


def test_no_words_run_off_the_sheet_or_onto_other_words() -> None:
    for shift in (False, True):
        for number in range(48):
            sheet, template = typeset(PageKey(9, shift, number))
            boxes = np.array([word.box for word in sheet.words])
            assert boxes.min() >= 0 and boxes[:, 2].max() <= sheet.width and boxes[:, 3].max() <= sheet.height, template
            low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
            high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
            shared = np.clip(high - low, 0, None).prod(axis=2)
            np.fill_diagonal(shared, 0)
            area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
            pairs = int((shared > 0.3 * np.minimum(area[:, None], area[None, :])).sum()) // 2
            assert pairs <= 4, template  # a tilted stamp may lie on a few words
