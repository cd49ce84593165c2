"""Every verb at work, as a user types it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

Distildoc = Callable[..., Any]
RunFile = Callable[..., Path]


@pytest.fixture
def documents(pages: Path, tmp_path: Path) -> Path:
    """Three images, a PDF of two pages and a TIFF of three, in folders."""
    folder = tmp_path / "documents"
    (folder / "deep").mkdir(parents=True)
    for number in range(3):
        (pages / "test" / "form" / f"{number}.png").rename(folder / f"{number}.png")
    canvas = Canvas(str(folder / "deep" / "two.pdf"), pagesize=(200, 260))
    for number in range(2):
        canvas.drawString(20, 200, f"page {number}")
        canvas.showPage()
    canvas.save()
    first, *rest = (Image.new("L", (32, 40), grey) for grey in (250, 120, 10))
    first.save(folder / "deep" / "three.tif", save_all=True, append_images=rest)
    return folder


def test_predict_writes_one_row_a_page_of_every_kind_of_file(
    documents: Path, finished: Path, tmp_path: Path, distildoc: Distildoc
) -> None:
    done = distildoc("predict", finished / "bundle", documents, "-o", tmp_path / "out")
    assert done.code == 0 and "8 pages" in done.out
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbered = [f"deep/three.tif#{n}" for n in (1, 2, 3)] + [f"deep/two.pdf#{n}" for n in (1, 2)]
    assert sorted(row["id"] for row in rows) == ["0.png", "1.png", "2.png", *numbered]
    assert all(float(row["p:form"]) + float(row["p:letter"]) == pytest.approx(1, abs=1e-5) for row in rows)
    stored = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [page["label"] for page in stored["pages"]] == [row["label"] for row in rows]


def test_predict_takes_page_ranges_and_stays_out_of_subfolders(
    documents: Path, finished: Path, tmp_path: Path, distildoc: Distildoc
) -> None:
    words = ("predict", finished / "bundle", documents / "deep", "-o", tmp_path / "out", "--pages", "2-")
    assert "3 pages" in distildoc(*words).out
    words = ("predict", finished / "bundle", documents, "-o", tmp_path / "flat", "--no-recursive", "--format", "csv")
    assert "3 pages" in distildoc(*words).out
    assert [path.name for path in (tmp_path / "flat").iterdir()] == ["predictions.csv"]


def test_predict_counts_the_pages_it_was_told_to_skip(
    documents: Path, finished: Path, tmp_path: Path, distildoc: Distildoc
) -> None:
    (documents / "1.png").write_bytes(b"nothing")
    done = distildoc("predict", finished / "bundle", documents, "-o", tmp_path / "out", "--skip-bad")
    assert done.code == 0 and "7 pages, 1 could not be read" in done.out


def test_evaluate_scores_run_and_bundle_alike(
    pages: Path, finished: Path, tmp_path: Path, distildoc: Distildoc
) -> None:
    for target, out in ((finished, "run"), (finished / "bundle", "bundle")):
        words = ("evaluate", target, "--pages", pages / "test", "-o", tmp_path / out)
        assert distildoc(*words).code == 0
    one, other = (json.loads((tmp_path / name / "report.json").read_text())["scores"] for name in ("run", "bundle"))
    assert one.keys() == other.keys()
    for name in one:
        assert one[name]["value"] == pytest.approx(other[name]["value"], abs=1e-4)


def test_train_says_what_it_is_about_to_do(
    run_file: RunFile, finished: Path, tmp_path: Path, distildoc: Distildoc
) -> None:
    terms = [{"method": "supervised", "weight": 0.5}, {"method": "kd", "weight": 0.5, "temperature": 4.0}]
    done = distildoc("train", run_file(terms=terms, teacher={"runs": [str(finished)]}), "-o", tmp_path / "out")
    assert done.code == 0
    for words in ("8 to train on", "4 to select on", "cnn-micro", f"{finished}, live", "0.5 x kd (temperature 4.0)"):
        assert words in done.out


def test_check_writes_nothing(run_file: RunFile, tmp_path: Path, distildoc: Distildoc) -> None:
    path = run_file()
    before = sorted(tmp_path.rglob("*"))
    done = distildoc("check", path)
    assert done.code == 0 and "6 pages, not decoded" in done.out
    assert sorted(tmp_path.rglob("*")) == before


def test_report_is_written_for_a_run(finished: Path, tmp_path: Path, distildoc: Distildoc) -> None:
    done = distildoc("report", finished, "-o", tmp_path / "report.html")
    assert done.code == 0 and str(tmp_path / "report.html") in done.out
    assert "tiny" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_corpus_that_was_made_can_be_checked_for_training(
    run_file: RunFile, tmp_path: Path, distildoc: Distildoc
) -> None:
    done = distildoc("corpus", "make", tmp_path / "corpus", "--pages", "64", "--workers", "1")
    assert done.code == 0 and "64 pages" in done.out
    source = {"kind": "corpus", "path": str(tmp_path / "corpus")}
    path = run_file()
    overrides = [f"data.{part}={json.dumps({**source, 'split': split})}" for part, split in (("train", "train"),)]
    assert distildoc("check", path, *overrides, "data.test=null").code == 0
