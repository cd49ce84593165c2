"""The corpus as a whole: reproducible, balanced, well-formed, all or nothing."""

import csv
import json
import os
from pathlib import Path

import pytest

pytest.importorskip("reportlab")

from distildoc.data.corpus import PAGE_CLASSES, REGION_CLASSES, SPLITS, make_corpus
from distildoc.schema.errors import InputError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "plain"
    make_corpus(folder, pages=32, seed=3, workers=1)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _labels(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_same_seed_gives_the_same_bytes_in_two_processes(corpus: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "again", pages=32, seed=3, workers=2)
    first, second = _files(corpus), _files(tmp_path / "again")
    assert len(first) == 32 + 32 + 16 + 5  # images, words, pdfs; labels, three coco files, summary
    assert first == second


def test_another_seed_gives_other_pages(corpus: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "other", pages=8, seed=4, workers=1)
    ours = {path.read_bytes() for path in (corpus / "images").iterdir()}
    others = {path.read_bytes() for path in (tmp_path / "other" / "images").iterdir()}
    assert not ours & others


def test_a_page_does_not_depend_on_the_number_of_pages(corpus: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "few", pages=3, seed=3, workers=1)
    few, many = _files(tmp_path / "few"), _files(corpus)
    images = [name for name in few if name.startswith(("images", "words", "pdf"))]
    assert len(images) == 9
    assert all(few[name] == many[name] for name in images)
    assert _labels(tmp_path / "few") == _labels(corpus)[:3]


def test_shifted_twin_has_the_same_labels_and_other_pixels(corpus: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "twin", pages=16, seed=3, shift=True, workers=1)
    assert [row["label"] for row in _labels(tmp_path / "twin")] == [row["label"] for row in _labels(corpus)[:16]]
    assert not {row["page_id"] for row in _labels(tmp_path / "twin")} & {row["page_id"] for row in _labels(corpus)}
    plain = {path.read_bytes() for path in (corpus / "images").iterdir()}
    assert not plain & {path.read_bytes() for path in (tmp_path / "twin" / "images").iterdir()}


def test_classes_are_balanced_and_all_splits_are_there(corpus: Path) -> None:
    rows = _labels(corpus)
    assert [row["label"] for row in rows] == list(PAGE_CLASSES) * 2
    assert {row["split"] for row in rows} == set(SPLITS)


def test_of_ten_pages_of_a_class_one_is_val_and_one_is_test() -> None:
    from distildoc.data.corpus.page import PageKey
    from distildoc.data.corpus.records import split_of

    for label in range(16):
        splits = [split_of(PageKey(0, False, label + 16 * turn)) for turn in range(10)]
        assert sorted(splits) == sorted(["train"] * 8 + ["val", "test"])


def test_coco_files_hold_valid_boxes_of_the_eleven_classes(corpus: Path) -> None:
    seen = 0
    for split in SPLITS:
        coco = json.loads((corpus / f"coco_{split}.json").read_text())
        assert [category["name"] for category in coco["categories"]] == list(REGION_CLASSES)
        images = {image["id"]: image for image in coco["images"]}
        assert all((corpus / image["file_name"]).is_file() for image in images.values())
        assert {image["doc_category"] for image in images.values()} <= set(PAGE_CLASSES)
        assert {note["image_id"] for note in coco["annotations"]} == set(images)  # no page without a region
        for note in coco["annotations"]:
            image, (x, y, width, height) = images[note["image_id"]], note["bbox"]
            assert width > 0 and height > 0 and note["area"] > 0
            assert x >= 0 and y >= 0
            assert x + width <= image["width"] + 0.11 and y + height <= image["height"] + 0.11  # boxes are rounded
        seen += len(images)
    assert seen == 32


def test_progress_counts_up_to_the_number_of_pages(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    make_corpus(tmp_path / "c", pages=3, seed=0, workers=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_corpus(tmp_path / "c", pages=4, seed=0, workers=1, progress=stop)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - hidden files count too


@pytest.mark.parametrize(("pages", "workers"), [(0, None), (-3, None), (4, 0)])
def test_counts_below_one_are_refused(tmp_path: Path, pages: int, workers: int | None) -> None:
    with pytest.raises(InputError, match="give 1 or more"):
        make_corpus(tmp_path / "c", pages=pages, seed=0, workers=workers)


def test_a_folder_with_something_in_it_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        make_corpus(tmp_path, pages=1, seed=0)
    assert os.listdir(tmp_path) == ["mine.txt"]  # noqa: PTH208 - hidden files count too


def test_an_empty_folder_is_accepted(tmp_path: Path) -> None:
    target = tmp_path / "empty"
    target.mkdir()
    assert make_corpus(target, pages=1, seed=0, workers=1).pages == 1
