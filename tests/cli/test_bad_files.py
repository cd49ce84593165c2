"""Files that `predict` and training cannot read: one line, exit code 2, nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

RunFile = Callable[..., Path]
Refused = Callable[..., None]


def pdf(path: Path, password: str | None = None) -> Path:
    canvas = Canvas(str(path), pagesize=(200, 260), encrypt=StandardEncryption(password) if password else None)
    for number in range(2):
        canvas.drawString(20, 200, f"page {number}")
        canvas.showPage()
    canvas.save()
    return path


def test_encrypted_pdf_asks_for_its_password(bundle: Path, tmp_path: Path, refused: Refused) -> None:
    path = pdf(tmp_path / "locked.pdf", "open sesame")
    refused("predict", bundle, path, "-o", tmp_path / "out", says=("locked.pdf", "encrypted", "--password"))
    words = ("predict", bundle, path, "-o", tmp_path / "out", "--password", "wrong")
    refused(*words, says=("locked.pdf", "does not open it"))


def test_decompression_bomb_is_refused(
    bundle: Path, run_file: RunFile, pages: Path, tmp_path: Path, refused: Refused
) -> None:
    bomb = pages / "train" / "form" / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(bomb)
    assert bomb.stat().st_size < 1 << 20
    refused("predict", bundle, bomb, "-o", tmp_path / "out", says=("bomb.png", "pixels"))
    refused("train", run_file(), "-o", tmp_path / "run", says=("bomb.png", "pixels", "--skip-bad"))


@pytest.mark.parametrize("numbers", ["one", "3-1", "0", "1-2-3", ""])
def test_page_range_that_is_none_is_shown(numbers: str, bundle: Path, tmp_path: Path, refused: Refused) -> None:
    path = pdf(tmp_path / "two.pdf")
    refused("predict", bundle, path, "-o", tmp_path / "out", "--pages", numbers, says=("page range", "pages"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("missing.png",), ("missing.png",)),
        (("run.txt",), ("run.txt", "readable are")),
        (("two.pdf", "--pages", "7-9"), ("selects no page",)),
        (("two.pdf", "--format", "xml"), ("'xml'", "json, csv")),
    ],
)
def test_files_that_cannot_be_predicted_are_named(
    words: tuple[str, ...], says: tuple[str, ...], bundle: Path, tmp_path: Path, refused: Refused
) -> None:
    pdf(tmp_path / "two.pdf")
    (tmp_path / "run.txt").write_text("no page")
    refused("predict", bundle, tmp_path / words[0], *words[1:], "-o", tmp_path / "out", says=says)
