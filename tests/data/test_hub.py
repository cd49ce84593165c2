"""Hub data sets and parquet files, without a network."""

import builtins
import io
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from distildoc.data.pageset import PageSet, check_pages
from distildoc.data.readers import hub, rvl_cdip, rvl_cdip_n
from distildoc.schema.errors import InputError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def png(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (6, 4), shade).save(stream, "png")
    return stream.getvalue()


def parquet(path: Path, labels: Sequence[Any], **columns: Sequence[Any]) -> Path:
    """Rows as pyarrow writes them, without the metadata of the datasets library."""
    images = [{"bytes": png(10 * row), "path": None} for row in range(len(labels))]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": images, "label": list(labels), **columns}), path)
    return path


def listed(pages: PageSet) -> list[tuple[str, str | None]]:
    return [(page.id, page.label) for page in pages.pages]


def test_a_parquet_file_with_class_names_is_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", ["memo", "file folder", "memo", None])
    pages = hub.read(source=path, split="train")
    assert pages.labels == ("file_folder", "memo")
    assert listed(pages) == [
        ("rows.parquet/train#1", "memo"),
        ("rows.parquet/train#2", "file_folder"),
        ("rows.parquet/train#3", "memo"),
        ("rows.parquet/train#4", None),
    ]
    assert [page.image().getpixel((0, 0)) for page in pages.pages] == [0, 10, 20, 30]


def test_class_names_kept_by_the_datasets_library_are_used(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a b", "c"])})
    images = [Image.fromarray(np.full((4, 6), shade, dtype=np.uint8)) for shade in (5, 6)]
    rows = datasets.Dataset.from_dict({"image": images, "label": [1, 0]}, features=features)
    rows.to_parquet(tmp_path / "rows.parquet")
    pages = hub.read(source=tmp_path / "rows.parquet", split="train")
    assert pages.labels == ("a_b", "c")
    assert [(page.label, page.image().getpixel((0, 0))) for page in pages.pages] == [("c", 5), ("a_b", 6)]


def test_a_folder_of_parquet_files_is_read_by_split(tmp_path: Path) -> None:
    parquet(tmp_path / "set/data/train-00000-of-00001.parquet", ["memo", "letter"])
    parquet(tmp_path / "set/data/test-00000-of-00001.parquet", ["letter"])
    assert listed(hub.read(source=tmp_path / "set", split="test")) == [("set/test#1", "letter")]
    with pytest.raises(InputError, match="cannot load the split 'dev'"):
        hub.read(source=tmp_path / "set", split="dev")


def test_bare_numbers_need_class_names(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", [1, 0, -1])
    with pytest.raises(InputError, match="name the classes in order with `labels`"):
        hub.read(source=path, split="train")
    pages = hub.read(source=path, split="train", labels=["memo", "letter"])
    assert [page.label for page in pages.pages] == ["letter", "memo", None]
    with pytest.raises(InputError, match="class id 1 is not among 0 to 0"):
        hub.read(source=path, split="train", labels=["memo"])


def test_other_columns_can_be_named_and_a_missing_one_gets_the_closest_name(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", ["memo"], kind=["letter"])
    assert listed(hub.read(source=path, split="x", columns=("image", "kind")))[0][1] == "letter"
    assert hub.read(source=path, split="x", columns=("image", None)).labels == ()
    with pytest.raises(InputError, match="no column 'imag'; closest: image"):
        hub.read(source=path, split="x", columns=("imag", "label"))


def test_a_row_without_a_readable_image_is_named(tmp_path: Path) -> None:
    images = [{"bytes": png(1), "path": None}, {"bytes": b"torn", "path": None}, {"bytes": None, "path": None}]
    pq.write_table(pa.table({"image": images, "label": ["memo"] * 3}), tmp_path / "rows.parquet")
    kept, failed = check_pages(hub.read(source=tmp_path / "rows.parquet", split="train"), skip_bad=True)
    assert len(kept) == 1
    assert [failure.reason.split(":")[0] for failure in failed] == ["rows.parquet/train#2", "rows.parquet/train#3"]


def test_pages_of_a_table_can_be_sent_to_a_worker(tmp_path: Path) -> None:
    page = hub.read(source=parquet(tmp_path / "rows.parquet", ["memo", "memo"]), split="train").pages[1]
    assert pickle.loads(pickle.dumps(page)).image().getpixel((0, 0)) == 10


def test_a_data_set_with_a_script_names_the_parquet_copy(tmp_path: Path) -> None:
    # No double: the installed library refuses the script by itself.
    (tmp_path / "old").mkdir()
    (tmp_path / "old/old.py").write_text("raise SystemExit('never run')")
    with pytest.raises(InputError, match=r"Python script, which is not run; name a parquet copy.*refs/convert/parquet"):
        hub.read(source=tmp_path / "old", split="train")


def test_a_hub_id_goes_to_the_library_with_config_and_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = datasets.Dataset.from_dict({"image": [{"bytes": png(7), "path": None}], "label": ["memo"]})
    asked: list[object] = []

    def load_dataset(*args: object, **settings: object) -> datasets.Dataset:
        asked.append((args, settings))
        return rows

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    pages = hub.read(source="somebody/pages", split="test", config="small", revision="refs/convert/parquet")
    assert asked == [(("somebody/pages", "small"), {"split": "test", "revision": "refs/convert/parquet"})]
    assert listed(pages) == [("somebody/pages/test#1", "memo")]


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*args: object, **settings: object) -> datasets.Dataset:
        raise ConnectionError("Couldn't reach 'somebody/pages' on the Hub\nand a long trace")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(InputError, match="cannot load the split 'test' of 'somebody/pages'") as caught:
        hub.read(source="somebody/pages", split="test")
    assert "\n" not in str(caught.value)


def test_a_missing_parquet_file_is_not_looked_for_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **settings: pytest.fail("asked the library"))
    with pytest.raises(InputError, match=r"no parquet file '.*gone\.parquet'"):
        hub.read(source=tmp_path / "gone.parquet", split="train")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **settings: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return real(name, *args, **settings)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"distildoc\[data\]"):
        hub.read(source="somebody/pages", split="train")


def test_rvl_cdip_n_as_parquet_has_the_names_of_rvl_cdip(tmp_path: Path) -> None:
    parquet(tmp_path / "n/data/test-00000-of-00001.parquet", ["file folder", "Resume"])
    pages = rvl_cdip_n.read(path=tmp_path / "n")
    assert pages.labels == rvl_cdip.CLASSES
    assert listed(pages) == [("n/test#1", "file_folder"), ("n/test#2", "resume")]
