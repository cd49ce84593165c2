import csv
import errno
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import EntryPoint

import pytest
from numpy.testing import assert_allclose
from PIL import Image

from distildoc.predict import WRITERS, files
from distildoc.predict.files import predict_files
from distildoc.schema.errors import InputError


def test_both_formats_say_what_numpy_says(bundle, folder, hand, tmp_path):
    summary = predict_files(bundle, [folder], tmp_path / "out", batch=3)
    assert (summary.pages, summary.failed) == (7, 0)
    assert [path.name for path in summary.written] == ["predictions.json", "predictions.csv"]
    pages = json.loads((tmp_path / "out" / "predictions.json").read_text())["pages"]
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [page["id"] for page in pages] == [row["id"] for row in rows] == [f"{number}.png" for number in range(7)]
    for number, (page, row) in enumerate(zip(pages, rows, strict=True)):
        assert_allclose([page["probabilities"][label] for label in hand.labels], hand.expected(number), atol=1e-6)
        assert_allclose([float(row[f"p:{label}"]) for label in hand.labels], hand.expected(number), atol=1e-6)


def test_a_file_whose_name_is_no_utf8_can_be_found_again_from_the_results(bundle, tmp_path):
    name = os.fsdecode(b"f\xfcr.png")  # Latin-1, as archives bring them
    Image.new("RGB", (20, 20)).save(tmp_path / name)
    predict_files(bundle, [tmp_path / name], tmp_path / "out")
    (page,) = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))["pages"]
    assert os.fsencode(page["id"]) == b"f\xfcr.png"
    assert "f\\udcfcr.png" in (tmp_path / "out" / "predictions.csv").read_text(encoding="utf-8")


def test_pages_of_a_tiff_are_chosen_by_number(bundle, tmp_path):
    frames = [Image.new("RGB", (20, 20), (40 * number, 0, 0)) for number in range(5)]
    frames[0].save(tmp_path / "fax.tif", save_all=True, append_images=frames[1:])
    summary = predict_files(bundle, [tmp_path / "fax.tif"], tmp_path / "out", pages="2,4-", formats=("json",))
    pages = json.loads(summary.written[0].read_text())["pages"]
    assert [page["page"] for page in pages] == [2, 4, 5]


def test_the_first_bad_page_stops_everything_and_nothing_is_written(bundle, folder, tmp_path):
    (folder / "3.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"3\.png: cannot read the image .* --skip-bad") as error:
        predict_files(bundle, [folder], tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_bad_pages_are_skipped_and_counted_when_asked(bundle, folder, tmp_path):
    (folder / "3.png").write_bytes(b"no image")
    summary = predict_files(bundle, [folder], tmp_path / "out", skip_bad=True)
    assert (summary.pages, summary.failed) == (6, 1)
    content = json.loads(summary.written[0].read_text())
    assert [entry["id"] for entry in content["failed"]] == ["3.png"]
    assert len(content["pages"]) == 6


def test_results_of_an_earlier_run_survive_a_failed_one(bundle, folder, tmp_path):
    predict_files(bundle, [folder], tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (folder / "6.png").write_bytes(b"no image")
    with pytest.raises(InputError):
        predict_files(bundle, [folder], tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("format_", ["json", "csv"])
def test_a_full_disk_writes_neither_format(format_, bundle, folder, tmp_path, monkeypatch):
    @contextmanager
    def full(path, bundle):
        path.write_text("half")
        yield lambda page: None
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"{WRITERS['classification'][format_]}.writing", full)
    with pytest.raises(InputError, match="out: the disk is full") as error:
        predict_files(bundle, [folder], tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_progress_counts_up_to_the_number_of_pages(bundle, folder, tmp_path):
    calls = []
    predict_files(bundle, [folder], tmp_path / "out", progress=lambda done, total: calls.append((done, total)))
    assert calls == [(number, 7) for number in range(1, 8)]


def test_an_unknown_format_shows_the_closest(bundle, folder, tmp_path):
    with pytest.raises(InputError, match="unknown result format 'jsn'; closest: json"):
        predict_files(bundle, [folder], tmp_path / "out", formats=("jsn",))


def test_every_format_has_a_file_or_folder_of_its_own():
    targets = {task: [files._writer(name, task).TARGET for name in formats] for task, formats in WRITERS.items()}
    assert targets == {
        "classification": ["predictions.json", "predictions.csv"],
        "detection": ["predictions.json", "predictions.coco.json", "markdown", "hocr", "overlay"],
    }


PREDICT_WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "pydantic", "accelerate", "safetensors", "onnx"}:
            raise ImportError(f"{name} must not be imported")

sys.meta_path.insert(0, Blocked())
import distildoc
from distildoc.predict.files import predict_files
from distildoc.schema.sources import pages_from

bundle, folder, out = sys.argv[1:]
results = list(distildoc.load(bundle)(pages_from([folder])))
summary = predict_files(bundle, [folder], out)
assert "torch" not in sys.modules
print(len(results), summary.pages, results[0].label)
"""


def test_a_bundle_runs_where_torch_cannot_be_imported(bundle, folder, hand, tmp_path):
    command = [sys.executable, "-c", PREDICT_WITHOUT_TORCH, str(bundle), str(folder), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=2) == ["7", "7", hand.labels[int(hand.expected(0).argmax())] + "\n"]


def test_a_format_of_an_installed_package_is_found(bundle, folder, tmp_path, monkeypatch):
    theirs = EntryPoint("table", "distildoc.predict.writers.csv", "distildoc.writers")
    monkeypatch.setattr(files, "entry_points", lambda group: [theirs] if group == "distildoc.writers" else [])
    summary = predict_files(bundle, [folder], tmp_path / "out", formats=("table",))
    assert [path.name for path in summary.written] == ["predictions.csv"]
