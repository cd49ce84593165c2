"""PDFs that are opened anew while they are streamed."""

from pathlib import Path

import numpy as np
import pytest
from reportlab.pdfgen.canvas import Canvas

from distildoc.schema import pdfs
from distildoc.schema.sources import pages_from


def test_pages_are_the_same_when_the_document_is_opened_anew_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas = Canvas(str(tmp_path / "long.pdf"), pagesize=(100, 100))
    for number in range(5):
        canvas.drawString(10, 10 + 15 * number, f"page {number}")
        canvas.showPage()
    canvas.save()
    whole = [np.asarray(page.image(64)) for page in pages_from([tmp_path / "long.pdf"])]
    opened: list[int] = []
    original = pdfs.PdfFile._document
    monkeypatch.setattr(pdfs, "REOPEN_AFTER", 2)
    monkeypatch.setattr(pdfs.PdfFile, "_document", lambda self: (opened.append(1), original(self))[1])
    again = [np.asarray(page.image(64)) for page in pages_from([tmp_path / "long.pdf"])]
    assert len(opened) == 3  # at the start, and after the second and the fourth page
    assert len({image.tobytes() for image in whole}) == 5
    assert all(np.array_equal(a, b) for a, b in zip(whole, again, strict=True))
