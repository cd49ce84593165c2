"""Parquet copies of DocLayNet, without a network."""

import io
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from distildoc.data.readers import doclaynet_parquet
from distildoc.schema.errors import InputError
from distildoc.schema.pages import Region
from distildoc.schema.taxonomies import TAXONOMIES


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


ABOUT = {"coco_width": 100, "coco_height": 200, "doc_category": "manuals", "original_filename": "guide.pdf"}


def rows(path: Path, boxes: list[Any], classes: list[Any], about: Any = None, column: str = "bboxes") -> Path:
    """A shard named and built as the copies are: encoded images, lists of boxes, a struct of metadata."""
    stream = io.BytesIO()
    Image.new("L", (10, 20), 255).save(stream, "png")
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {
        "image": [{"bytes": stream.getvalue(), "path": None} for _ in boxes],
        column: pa.array(boxes, pa.list_(pa.list_(pa.float64()))),
        "category_id": pa.array(classes, pa.list_(pa.int64())),
        "metadata": [ABOUT if about is None else about for _ in boxes],
    }
    pq.write_table(pa.table(table), path)
    return path


@pytest.mark.parametrize("column", ["bboxes", "bbox"])
def test_rows_of_a_local_copy_become_pages_with_their_regions(tmp_path: Path, column: str) -> None:
    rows(tmp_path / "set/data/val-00000-of-00001.parquet", [[[1, 2, 3, 4]], []], [[10], []], column=column)
    pages = doclaynet_parquet.read(source=tmp_path / "set", split="val")
    assert pages.labels == TAXONOMIES["doclaynet"] and pages.name == "set/val"
    assert [(page.id, page.regions) for page in pages.pages] == [
        ("set/val#1", (Region("Text", (1, 2, 4, 6)),)),
        ("set/val#2", ()),
    ]
    page = pages.pages[0]
    assert (page.size, page.group, page.document) == ((100, 200), "manuals", "guide.pdf")
    assert page.image().size == (10, 20)


def test_boxes_are_mended_as_the_others_are(tmp_path: Path) -> None:
    path = rows(tmp_path / "rows.parquet", [[[90, 0, 20, 20], [0, 0, 0, 9]]], [[1, 1]])
    pages = doclaynet_parquet.read(source=path, split="val")
    assert pages.pages[0].regions == (Region("Caption", (90, 0, 100, 20)),)
    assert pages.repairs == (
        "rows.parquet/val: boxes that reach outside their page were clipped: 1, first on rows.parquet/val#1",
        "rows.parquet/val: boxes without area were dropped: 1, first on rows.parquet/val#1",
    )


@pytest.mark.parametrize(
    ("boxes", "classes", "about", "message"),
    [
        ([[[1, 2, 3, 4]]], [[0]], ABOUT, "class id 0 is not among 1 to 11"),
        ([[[1, 2, 3, 4]]], [[12]], ABOUT, "class id 12 is not among 1 to 11"),
        ([[[1, 2, 3, 4]]], [[1, 2]], ABOUT, "1 boxes but 2 classes"),
        ([[[1, 2, 3]]], [[1]], ABOUT, "a box has 3 numbers"),
        ([[[1, 2, 3, float("nan")]]], [[1]], ABOUT, "not finite"),
        ([[[1, 2, 3, 4]]], [[1]], {"doc_category": "x"}, "gives no coco_width and coco_height"),
    ],
)
def test_rows_that_cannot_be_right_are_named(
    tmp_path: Path, boxes: Any, classes: Any, about: Any, message: str
) -> None:
    path = rows(tmp_path / "rows.parquet", boxes, classes, about)
    with pytest.raises(InputError, match=message) as caught:
        doclaynet_parquet.read(source=path, split="val")
    assert "rows.parquet/val" in str(caught.value)


def test_another_table_is_refused_with_the_column_it_lacks(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [b""], "label": [1]}), tmp_path / "rows.parquet")
    with pytest.raises(InputError, match="is no copy of DocLayNet: it has no column 'bbox'"):
        doclaynet_parquet.read(source=tmp_path / "rows.parquet", split="val")
