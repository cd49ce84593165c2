"""Files and folders to pages."""

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from distildoc.schema import images, sources
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.sources import count_pages, pages_from, parse_page_range


def picture(path: Path, *, size: tuple[int, int] = (20, 30), color: str = "white", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)
    return path


def tiff(path: Path, colors: list[str]) -> Path:
    first, *rest = [Image.new("RGB", (10, 10), color) for color in colors]
    first.save(path, save_all=True, append_images=rest)
    return path


def pdf(path: Path, *, pages: int = 1, size: tuple[float, float] = (300, 600), password: str | None = None) -> Path:
    canvas = Canvas(str(path), pagesize=size, encrypt=StandardEncryption(password) if password else None)
    for _ in range(pages):
        canvas.rect(0, 0, size[0], size[1] / 2, fill=1)  # the lower half is black
        canvas.showPage()
    canvas.save()
    return path


def broken_pdf(path: Path) -> Path:
    """Two pages, the second of which is a number instead of a page."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 200] >>",
        "42",
    ]
    text, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(text))
        text += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    start = len(text)
    text += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    text += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    path.write_text(text)
    return path


def ids(*paths: Path, **settings: object) -> list[str]:
    return [page.id for page in pages_from(paths, **settings)]


def only_page(path: Path) -> Page:
    (page,) = pages_from([path])
    assert isinstance(page, Page)
    return page


def only_failure(path: Path, **settings: object) -> FailedPage:
    (page,) = pages_from([path], **settings)
    assert isinstance(page, FailedPage)
    return page


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1-3,7,10-", [1, 2, 3, 7, 10, 11, 12]), ("-2", [1, 2]), ("5, 1", [1, 5]), ("2-4,3-5", [2, 3, 4, 5]), ("20", [])],
)
def test_page_range_selects_the_pages_written(text: str, expected: list[int]) -> None:
    assert parse_page_range(text).within(12) == expected


@pytest.mark.parametrize("text", ["", "a", "3-1", "0", "1,,2", "-", "1-2-3", "1 2", "-0", "99999999999"])
def test_a_malformed_page_range_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InputError, match="page range"):
        parse_page_range(text)


def test_folder_ids_are_sorted_paths_relative_to_the_folder(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "sub/c.webp", "sub/deep/d.bmp", ".hidden/e.png", "._f.png"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a page")
    assert ids(tmp_path) == ["a.jpg", "b.png", "sub/c.webp", "sub/deep/d.bmp"]
    assert ids(tmp_path, recursive=False) == ["a.jpg", "b.png"]


def test_a_named_file_goes_by_its_name_and_several_by_what_tells_them_apart(tmp_path: Path) -> None:
    one, two, other = picture(tmp_path / "x/scan.png"), picture(tmp_path / "y/scan.png"), picture(tmp_path / "z/b.png")
    assert ids(one) == ["scan.png"]
    assert ids(one, two, other) == ["x/scan.png", "y/scan.png", "b.png"]
    assert ids(tmp_path / "x", tmp_path / "z") == ["x/scan.png", "z/b.png"]
    assert ids(one, one) == ["scan.png"]


def test_pages_of_a_multi_page_tiff_keep_their_order_and_numbers(tmp_path: Path) -> None:
    path = tiff(tmp_path / "fax.tif", ["red", "lime", "blue"])
    pages = list(pages_from([path]))
    assert [(page.id, page.number) for page in pages] == [("fax.tif#1", 1), ("fax.tif#2", 2), ("fax.tif#3", 3)]
    assert [page.image().getpixel((5, 5)) for page in pages] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_a_tiff_of_one_page_has_no_number_in_its_id(tmp_path: Path) -> None:
    assert ids(tiff(tmp_path / "one.tiff", ["red"])) == ["one.tiff"]


def test_pdf_pages_are_drawn_to_the_side_asked_for(tmp_path: Path) -> None:
    first, second = pages_from([pdf(tmp_path / "two.pdf", pages=2)])
    assert [first.id, second.id] == ["two.pdf#1", "two.pdf#2"]
    drawn = second.image(100)
    assert drawn.size == (50, 100)
    assert np.asarray(drawn)[:45].min() == 255 and np.asarray(drawn)[55:].max() == 0
    assert first.image().size == (625, 1250)  # 300 x 600 points at 150 dpi


def test_a_pdf_page_can_be_read_after_the_stream_has_ended_and_in_another_process(tmp_path: Path) -> None:
    page = list(pages_from([pdf(tmp_path / "a.pdf", pages=2)]))[1]
    again = pickle.loads(pickle.dumps(page))
    assert page.image(64).tobytes() == again.image(64).tobytes()


def test_pdf_pages_can_be_read_from_several_threads(tmp_path: Path) -> None:
    pages = list(pages_from([pdf(tmp_path / "a.pdf", pages=4), pdf(tmp_path / "b.pdf", pages=4)]))
    seen: list[tuple[int, int]] = []
    threads = [threading.Thread(target=lambda page=page: seen.append(page.image(64).size)) for page in pages * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(32, 64)] * 16


def test_a_page_range_applies_to_every_file(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", pages=5)
    tiff(tmp_path / "b.tif", ["red", "lime", "blue"])
    picture(tmp_path / "c.png")
    chosen = parse_page_range("1,3-4")
    assert ids(tmp_path, pages=chosen) == ["a.pdf#1", "a.pdf#3", "a.pdf#4", "b.tif#1", "b.tif#3", "c.png"]
    assert count_pages([tmp_path], pages=chosen) == 6


def test_a_page_range_beyond_every_file_is_an_error(tmp_path: Path) -> None:
    pages = pages_from([pdf(tmp_path / "a.pdf", pages=2)], pages=parse_page_range("7-"))
    with pytest.raises(InputError, match="selects no page"):
        list(pages)


def test_an_encrypted_pdf_opens_with_its_password_only(tmp_path: Path) -> None:
    path = pdf(tmp_path / "secret.pdf", pages=2, password="open sesame")
    assert "secret.pdf" in only_failure(path).reason and "--password" in only_failure(path).reason
    assert "does not open it" in only_failure(path, password="wrong").reason
    first, _ = pages_from([path], password="open sesame")
    assert first.image(60).size == (30, 60)
    assert "open sesame" not in repr(first)


def test_damaged_documents_fail_in_their_place_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"")
    (tmp_path / "b.pdf").write_bytes(pdf(tmp_path / "whole.pdf").read_bytes()[:300])
    (tmp_path / "c.tif").write_bytes(b"II*\x00garbage")
    (tmp_path / "d.tif").write_bytes(b"")
    picture(tmp_path / "e.png")
    pages = list(pages_from([tmp_path]))
    assert [(type(page), page.id) for page in pages] == [
        (FailedPage, "a.pdf"),
        (FailedPage, "b.pdf"),
        (FailedPage, "c.tif"),
        (FailedPage, "d.tif"),
        (Page, "e.png"),
        (Page, "whole.pdf"),
    ]
    assert all(page.id in page.reason and "\n" not in page.reason for page in pages if isinstance(page, FailedPage))
    assert count_pages([tmp_path]) == 6


def test_a_broken_page_of_a_pdf_names_file_and_page(tmp_path: Path) -> None:
    first, second = pages_from([broken_pdf(tmp_path / "half.pdf")])
    assert first.image(20).size == (10, 20)
    with pytest.raises(InputError, match=r"half\.pdf, page 2: cannot draw the page"):
        second.image(20)


def test_a_pdf_page_with_an_absurd_size_is_drawn_small(tmp_path: Path) -> None:
    page = only_page(pdf(tmp_path / "wide.pdf", size=(2_000_000, 20)))
    assert page.image(200).size == (200, 1)
    assert max(page.image().size) <= 8192


def test_a_file_with_too_many_pages_asks_for_a_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_PAGES", 3)
    path = pdf(tmp_path / "long.pdf", pages=5)
    assert "--pages" in only_failure(path).reason
    assert ids(path, pages=parse_page_range("2-3")) == ["long.pdf#2", "long.pdf#3"]


def test_a_tiff_with_too_many_pages_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PAGES", 2)
    assert "more than 2 pages" in only_failure(tiff(tmp_path / "a.tif", ["red"] * 4)).reason


def test_unusable_paths_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter.docx").write_text("words")
    (tmp_path / "noext").write_text("words")
    for name, reason in [
        ("missing.pdf", "no file or folder"),
        ("empty", "holds no pages"),
        ("letter.docx", "readable are"),
        ("noext", "readable are"),
    ]:
        with pytest.raises(InputError, match=reason) as caught:
            pages_from([tmp_path / name])
        assert name in str(caught.value)


def test_nothing_is_opened_before_its_turn(tmp_path: Path) -> None:
    stream = pages_from([pdf(tmp_path / "a.pdf"), pdf(tmp_path / "b.pdf")])
    assert next(stream).id == "a.pdf"
    (tmp_path / "b.pdf").unlink()
    later = next(stream)
    assert isinstance(later, FailedPage) and "no such file" in later.reason


def test_real_pdfs_give_as_many_pages_as_were_counted(real_data: Path) -> None:
    files = sorted((real_data / "pdfs").glob("*.pdf"))
    assert len(files) == 24
    pages = list(pages_from(files[:6]))
    assert len(pages) == count_pages(files[:6])
    for page in pages:
        assert isinstance(page, Page)
        drawn = page.image(256)
        assert max(drawn.size) == 256 and np.asarray(drawn).std() > 5  # something is on it
