"""What a user can get wrong: one line on standard error, exit code 2, nothing half-written."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from safetensors import SafetensorError

import distildoc.models.load
import distildoc.train.stored

Distildoc = Callable[..., Any]
RunFile = Callable[..., Path]
KD = {"terms": [{"method": "kd"}]}
Refused = Callable[..., None]


@pytest.mark.parametrize("verb", ["check", "train", "run", "cache"])
def test_damaged_page_is_named_before_anything_is_written(
    verb: str, run_file: RunFile, pages: Path, finished: Path, tmp_path: Path, refused: Refused
) -> None:
    (pages / "train" / "form" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    teacher = {"runs": [str(finished)], "cache": str(tmp_path / "cache")}
    path = run_file(**KD, teacher=teacher) if verb == "cache" else run_file()
    words = [verb, path] + (["-o", tmp_path / "out"] if verb in ("train", "run") else [])
    refused(*words, says=("1 of", "form/3.png", "--skip-bad"))


def test_damaged_pages_are_left_out_and_counted_on_request(
    run_file: RunFile, pages: Path, tmp_path: Path, distildoc: Distildoc
) -> None:
    for split in ("train", "test"):
        (pages / split / "form" / "1.png").write_bytes(b"nothing")
    done = distildoc("run", run_file(), "-o", tmp_path / "out", "--skip-bad")
    assert done.code == 0, done
    assert "1 unreadable" in done.out and "on 5 pages" in done.out
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["stages"]["train"]["skipped"] == ["form/1.png"]
    assert json.loads((tmp_path / "out" / "evaluation" / "report.json").read_text())["failed"] == 1


def test_evaluation_leaves_out_damaged_test_pages_on_request_only(
    run_file: RunFile, pages: Path, tmp_path: Path, distildoc: Distildoc
) -> None:
    assert distildoc("train", run_file(), "-o", tmp_path / "out").code == 0
    (pages / "test" / "letter" / "0.png").write_bytes(b"nothing")
    distildoc("evaluate", tmp_path / "out").one_line("letter/0.png", "--skip-bad")
    assert not (tmp_path / "out" / "evaluation").exists()
    done = distildoc("evaluate", tmp_path / "out", "--skip-bad")
    assert done.code == 0 and "on 5 pages, 1 unreadable" in done.out


def test_missing_page_of_a_label_file_is_named(run_file: RunFile, tmp_path: Path, refused: Refused) -> None:
    root = tmp_path / "rvl"
    (root / "labels").mkdir(parents=True)
    (root / "images").mkdir()
    (root / "labels" / "train.txt").write_text("a.tif 0\ngone.tif 1\n")
    (root / "labels" / "val.txt").write_text("b.tif 0\nc.tif 1\n")
    for name in "abc":
        Image.new("L", (40, 40), 255).save(root / "images" / f"{name}.tif")
    data = {"train": {"kind": "rvl_cdip", "path": str(root), "split": "train"}, "test": None}
    data["validation"] = {"kind": "rvl_cdip", "path": str(root), "split": "val"}
    content = yaml.safe_load(run_file().read_text())
    content["data"] = data
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    refused("train", tmp_path / "run.yaml", "-o", tmp_path / "out", says=("gone.tif", "no such file"))


def test_empty_class_is_named(run_file: RunFile, pages: Path, tmp_path: Path, refused: Refused) -> None:
    (pages / "train" / "memo").mkdir()
    refused("train", run_file(), "-o", tmp_path / "out", says=("memo", "holds no pages"))


@pytest.mark.parametrize("verb", ["check", "run"])
def test_class_of_the_test_pages_that_training_lacks_is_found_before_training(
    verb: str, run_file: RunFile, pages: Path, tmp_path: Path, refused: Refused
) -> None:
    (pages / "test" / "form").rename(pages / "test" / "forms")
    words = [verb, run_file()] + (["-o", tmp_path / "out"] if verb == "run" else [])
    refused(*words, says=("data.test", "['forms']", "data.labels"))


def test_class_that_a_bundle_does_not_know_is_named(
    bundle: Path, pages: Path, tmp_path: Path, refused: Refused
) -> None:
    (pages / "test" / "form").rename(pages / "test" / "forms")
    words = ("evaluate", bundle, "--pages", pages / "test", "-o", tmp_path / "scores")
    refused(*words, says=("unknown class 'forms'; closest: form",))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"terms": [{"method": "supervized"}]}, ("supervized", "closest: supervised")),
        ({"model": {"name": "cnn-mirco"}}, ("cnn-mirco", "closest: cnn-micro")),
        ({"data": {"train": {"kind": "foldr"}}}, ("foldr", "closest: folder")),
        ({"train": {"epoch": 3}}, ("unknown key 'train.epoch'", "closest: epochs")),
        ({"modle": {}}, ("unknown key 'modle'", "closest: model")),
        ({"model": {"width": [4]}}, ("width", "closest: widths")),
        ({"terms": [{"method": "kd", "temprature": 2}]}, ("terms[0] (kd)", "temprature", "closest: temperature")),
        ({"augmentation": {"rotate": 3}}, ("augmentation", "rotate_deg")),
        (
            {"terms": [{"method": "supervised", "weight": -1}]},
            ("'terms.0.weight'", "greater than or equal to 0", "got -1"),
        ),
        (
            {"terms": [{"method": "supervised", "weight": {"kind": "linear", "start": -1}}]},
            ("'terms.0.weight.start'", "greater than or equal to 0", "got -1"),
        ),
        ({"train": {"lr": "fast"}}, ("'train.lr'", "'fast'")),
        ({"start": "nowhere"}, ("nowhere", "no finished run")),
        ({"terms": [{"method": "kd"}]}, ("'kd'", "teacher.runs")),
        ({"teacher": {"runs": ["nowhere"]}, **KD}, ("nowhere", "no finished run")),
        ({"data": {"per_class": 50}}, ("50 are asked for",)),
        ({"data": {"train": {"path": "nowhere"}}}, ("nowhere",)),
        ({"input": {"height": 1}}, ("'input.height'", "16")),
        ({"train": {"precision": "fp16"}}, ("fp16", "GPU")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_mistake_in_the_run_file_is_named(
    changes: dict[str, Any], says: tuple[str, ...], run_file: RunFile, tmp_path: Path, refused: Refused
) -> None:
    refused("train", run_file(**changes), "-o", tmp_path / "out", says=says)


def test_unknown_tap_names_the_closest(run_file: RunFile, finished: Path, tmp_path: Path, refused: Refused) -> None:
    terms = [{"method": "fitnet", "teacher_tap": "midle"}]
    path = run_file(terms=terms, teacher={"runs": [str(finished)]})
    refused("train", path, "-o", tmp_path / "out", says=("midle", "middle"))


def test_override_that_is_no_assignment_is_shown(run_file: RunFile, tmp_path: Path, refused: Refused) -> None:
    refused("train", run_file(), "epochs", "-o", tmp_path / "out", says=("'epochs'", "key.key=value"))


def test_label_sets_that_differ_are_shown(run_file: RunFile, pages: Path, finished: Path, refused: Refused) -> None:
    for split in ("train", "test"):
        (pages / split / "form").rename(pages / split / "table")
    path = run_file(**KD, teacher={"runs": [str(finished)]})
    refused("check", path, says=("label sets differ", "['table']", "['form']"))


def test_cache_that_is_missing_or_of_another_teacher_is_refused(
    run_file: RunFile, finished: Path, tmp_path: Path, distildoc: Distildoc, refused: Refused
) -> None:
    mine = {"runs": [str(finished)], "cache": str(tmp_path / "cache")}
    refused("train", run_file(**KD, teacher=mine), "-o", tmp_path / "out", says=("cache", "distildoc cache"))
    assert distildoc("cache", run_file(**KD, teacher=mine)).code == 0
    assert distildoc("train", run_file(seed=8), "-o", tmp_path / "other").code == 0
    theirs = {"runs": [str(tmp_path / "other")], "cache": str(tmp_path / "cache")}
    for verb in ("train", "cache"):
        words = [verb, run_file(**KD, teacher=theirs)] + (["-o", tmp_path / "out"] if verb == "train" else [])
        refused(*words, says=("the cache is of", "teacher"))


@pytest.mark.parametrize(("name", "share"), [("model.onnx", 0.5), ("bundle.json", 0.5), ("bundle.json", 0.0)])
def test_truncated_bundle_is_refused(
    name: str, share: float, bundle: Path, pages: Path, tmp_path: Path, refused: Refused
) -> None:
    whole = (bundle / name).read_bytes()
    (bundle / name).write_bytes(whole[: int(share * len(whole))])
    refused("predict", bundle, pages / "test", "-o", tmp_path / "out", says=(name,))
    refused("evaluate", bundle, "--pages", pages / "test", "-o", tmp_path / "out", says=(name,))


@pytest.mark.parametrize("verb", ["evaluate", "export", "verify"])
def test_folder_without_a_run_is_refused(verb: str, tmp_path: Path, refused: Refused) -> None:
    refused(verb, tmp_path / "nowhere", says=("nowhere", "no run there"))


def test_bundle_is_no_run_to_evaluate_without_pages(bundle: Path, refused: Refused) -> None:
    refused("evaluate", bundle, says=("--pages",))


def test_stage_before_its_turn_names_the_one_that_is_missing(
    run_file: RunFile, tmp_path: Path, distildoc: Distildoc, refused: Refused
) -> None:
    assert distildoc("train", run_file(), "-o", tmp_path / "out").code == 0
    refused("verify", tmp_path / "out", says=("'export' has not finished", "distildoc export"))


def test_damaged_run_json_is_named(finished: Path, tmp_path: Path, refused: Refused) -> None:
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text('{"stages": {')
    refused("export", tmp_path / "run", says=("run.json", "not valid JSON"))


def test_loss_that_is_not_finite_stops_with_step_term_and_pages(
    run_file: RunFile, tmp_path: Path, distildoc: Distildoc
) -> None:
    path = run_file(train={"lr": 1e30, "epochs": 9, "optimiser": "sgd", "warmup": 0.0, "clip_norm": None})
    found = distildoc("train", path, "-o", tmp_path / "out")
    last = found.err.strip().splitlines()[-1]
    assert found.code == 2 and "Traceback" not in found.err
    assert last.startswith("error: step ") and "'supervised' is" in last and ".png" in last
    assert not (tmp_path / "out" / "model").exists()


@pytest.mark.parametrize("module", [distildoc.models.load, distildoc.train.stored])
def test_full_disk_while_training_is_one_line(
    module: Any, run_file: RunFile, tmp_path: Path, distildoc: Distildoc, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: object, path: Path, **more: object) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(module, "save_file", full)
    found = distildoc("train", run_file(), "-o", tmp_path / "out")
    assert found.code == 2 and "Traceback" not in found.err
    last = found.err.strip().splitlines()[-1]
    assert "No space left on device" in last and "free" in last and str(tmp_path / "out") in last
    assert not (tmp_path / "out" / "model").exists()
    halves = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.read_bytes() == b"half"]
    assert halves == []


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full")
def test_full_disk_while_predicting_leaves_nothing(
    bundle: Path, pages: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def full(path: Path, mode: str = "r", **how: Any) -> Any:
        return opened(Path("/dev/full") if path.suffix == ".csv" and "w" in mode else path, mode, **how)

    monkeypatch.setattr(Path, "open", full)
    refused("predict", bundle, pages / "test", "-o", tmp_path / "out", says=("the disk is full",))


def test_folder_that_may_not_be_written_is_one_line(
    bundle: Path, pages: Path, distildoc: Distildoc, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **how: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    distildoc("predict", bundle, pages / "test", "-o", "locked").one_line("'locked'", "permission denied")


def test_report_of_a_folder_without_a_run_is_refused(tmp_path: Path, refused: Refused) -> None:
    refused("report", tmp_path / "none", "-o", tmp_path / "report.html", says=("none", "no run there"))


def test_corpus_is_not_written_over_other_files(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    refused("corpus", "make", tmp_path / "mine", "--pages", "2", says=("mine",))
