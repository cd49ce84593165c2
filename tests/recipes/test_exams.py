"""Exams of finished runs: what they write, that they are done once, and what they refuse."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from distildoc.data.corruptions import KINDS
from distildoc.evaluate.corruption import class_scores
from distildoc.evaluate.torch_predictor import TorchPredictor
from distildoc.models.load import fingerprint, load_model
from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exams import exams
from distildoc.recipes.files import config_hash
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import test_pages as pages_to_test_on
from distildoc.recipes.screen import Screen
from distildoc.recipes.sizes import preprocess_of
from distildoc.schema.errors import ConfigError, InputError

ConfigOf = Callable[..., RunConfig]
TWO = {"kinds": ["fax", "blur"], "severities": [5, 1]}


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def shifted(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test pages in negative, without memos; letters are called mail."""
    folder = tmp_path_factory.mktemp("shifted")
    for old, new in (("form", "form"), ("letter", "mail")):
        (folder / new).mkdir()
        for path in sorted((pages / "test" / old).iterdir()):
            Image.fromarray(255 - np.asarray(Image.open(path))).save(folder / new / path.name)
    return folder


@pytest.fixture(scope="module")
def settings(shifted: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Keys of a run file with exams on shifted and on damaged pages."""
    cache = str(tmp_path_factory.mktemp("cache"))
    return {
        "data": {"labels": {"rename": {"mail": "letter", "form": "form"}}},
        "exams": {
            "shifted": {"negative": {"kind": "folder", "path": str(shifted)}},
            "corruptions": {**TWO, "pages": 12, "cache": cache},
        },
    }


@pytest.fixture(scope="module")
def examined(
    config_of: ConfigOf, pages: Path, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunConfig, Path]:
    """A run with a letter class that the training pages call mail, through all stages."""
    train = tmp_path_factory.mktemp("mail") / "train"
    shutil.copytree(pages / "train", train)
    (train / "letter").rename(train / "mail")
    data = {**settings["data"], "train": {"kind": "folder", "path": str(train)}}
    config = config_of(**{**settings, "data": data})
    folder = tmp_path_factory.mktemp("runs") / "examined"
    stages.run(config, folder)
    return config, folder


def test_shifted_pages_get_an_ordinary_evaluation_under_the_names_of_the_run(examined: tuple[RunConfig, Path]) -> None:
    _, folder = examined
    report = read(folder / "exams" / "shifted" / "negative" / "report.json")
    assert report["pages"] == 12 and report["labels"] == ["form", "letter", "memo"]
    assert [sum(row) for row in report["confusion"]] == [6, 6, 0]
    assert report["source"]["exam"] == "negative"
    assert (folder / "exams" / "shifted" / "negative" / "predictions.csv").is_file()


def test_corruptions_tell_every_setting_and_what_is_lost(examined: tuple[RunConfig, Path]) -> None:
    _, folder = examined
    found = read(folder / "exams" / "corruptions.json")
    assert list(found) == ["format", "hash", "pages", "clean", "kinds", "mean", "relative"]
    assert (found["format"], found["pages"], len(found["hash"])) == (1, 12, 16)
    assert list(found["kinds"]) == ["blur", "fax"]  # in the order of KINDS
    assert all([one["severity"] for one in rows] == [1, 5] for rows in found["kinds"].values())
    every = [row["accuracy"] for rows in found["kinds"].values() for row in rows]
    assert found["mean"]["accuracy"] == pytest.approx(np.mean(every))
    assert found["relative"]["accuracy"] == pytest.approx(1 - np.mean(every) / found["clean"]["accuracy"])


def test_clean_scores_are_those_of_the_chosen_pages(config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of(exams={"corruptions": {"kinds": ["jpeg"], "severities": [1]}})
    stages.train(config, tmp_path / "run")
    stages.evaluate(tmp_path / "run")
    trained = RunFolder(tmp_path / "run").require("train", "")
    model = load_model(tmp_path / "run" / "model")
    predictor = TorchPredictor(model, preprocess_of(config), temperature=trained["temperature"])
    wanted = class_scores(predictor, pages_to_test_on(config.data, model.labels).pages)
    assert read(tmp_path / "run" / "exams" / "corruptions.json")["clean"] == pytest.approx(wanted)


def test_finished_exams_are_passed_over_and_a_changed_one_is_done_again(examined: tuple[RunConfig, Path]) -> None:
    config, folder = examined
    before, lines = times(folder), list[str]()
    stages.run(config, folder, Screen(lines.append))
    assert times(folder) == before
    assert len(lines) == 6 and all("already" in line for line in lines)
    assert config.exams is not None and config.exams.corruptions is not None
    fewer = config.exams.model_copy(update={"corruptions": config.exams.corruptions.model_copy(update={"seed": 1})})
    stages.run(config.model_copy(update={"exams": fewer}), folder)
    changed = {path for path, time in times(folder).items() if time != before.get(path)}
    assert {Path(path).name for path in changed} == {"config.yaml", "corruptions.json", "ended.json"}
    stages.run(config, folder)
    assert read(folder / "exams" / "corruptions.json")["hash"]


def test_exams_can_be_added_to_a_finished_run(config_of: ConfigOf, tmp_path: Path) -> None:
    bare = config_of()
    stages.run(bare, tmp_path / "run")
    model = fingerprint(load_model(tmp_path / "run" / "model"))
    assert not (tmp_path / "run" / "exams").exists() and exams(tmp_path / "run") == []
    more = config_of(exams={"corruptions": {"kinds": ["fax"], "severities": [3], "pages": 6}})
    assert config_hash(more) == config_hash(bare)
    stages.run(more, tmp_path / "run")
    assert read(tmp_path / "run" / "exams" / "corruptions.json")["pages"] == 6
    assert RunFolder(tmp_path / "run").config() == more
    assert fingerprint(load_model(tmp_path / "run" / "model")) == model


def test_agreement_is_an_exam_where_there_is_a_teacher(config_of: ConfigOf, teacher: Path, tmp_path: Path) -> None:
    taught = {"teacher": {"runs": [str(teacher)]}, "terms": [{"method": "kd", "temperature": 4.0}]}
    for name, more in (("alone", {}), ("taught", taught)):
        stages.train(config_of(exams={"agreement": {"pages": 9}}, **more), tmp_path / name)
        line = stages.evaluate(tmp_path / name).splitlines()[1]
        assert ("no teacher" in line) == (name == "alone")
    assert not (tmp_path / "alone" / "exams" / "agreement.json").exists()
    assert read(tmp_path / "taught" / "exams" / "agreement.json")["pages"] == 9


def test_a_second_run_makes_no_damaged_page_that_the_first_has_kept(
    examined: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    config, folder = examined
    assert config.exams is not None and config.exams.corruptions is not None
    cache = Path(str(config.exams.corruptions.cache))
    before = times(cache)
    assert {Path(path).name for path in before} >= {"clean.npy", "fax-1.npy", "fax-5.npy", "blur-1.npy", "blur-5.npy"}
    stages.run(config.model_copy(update={"seed": 1}), tmp_path / "other")
    assert times(cache) == before
    first, second = (read(run / "exams" / "corruptions.json") for run in (folder, tmp_path / "other"))
    assert first["hash"] != second["hash"] and first["pages"] == second["pages"]


def test_pages_that_the_evaluation_could_not_read_are_left_out(
    config_of: ConfigOf, pages: Path, tmp_path: Path
) -> None:
    shutil.copytree(pages / "test", tmp_path / "test")
    broken = sorted((tmp_path / "test" / "form").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:60])
    data = {"test": {"kind": "folder", "path": str(tmp_path / "test")}, "skip_bad": True}
    config = config_of(data=data, exams={"corruptions": {"kinds": ["skew"], "severities": [2]}})
    stages.train(config, tmp_path / "run")
    lines = stages.evaluate(tmp_path / "run").splitlines()
    assert "1 unreadable" in lines[0] and "1 settings of 17 pages" in lines[1]
    assert read(tmp_path / "run" / "exams" / "corruptions.json")["pages"] == 17


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"corruptions": {"kinds": ["fog"]}}, "no corruption 'fog'; known: scan_noise"),
        ({"corruptions": {"severities": [0]}}, r"no severity 0; there are \[1, 2, 3, 4, 5\]"),
        ({"corruptions": {"kind": ["fax"]}}, "unknown key 'exams.corruptions.kind'"),
        ({"shifted": {"../x": {"kind": "folder", "path": "."}}}, "exams.shifted"),
    ],
)
def test_a_mistake_in_the_run_file_is_one_line(given: dict[str, Any], said: str, config_of: ConfigOf) -> None:
    with pytest.raises(ConfigError, match=said):
        config_of(exams=given)


def test_no_kind_named_means_all_of_them_later(config_of: ConfigOf) -> None:
    config = config_of(exams={"corruptions": {}})
    assert config.exams is not None and config.exams.corruptions is not None
    assert config.exams.corruptions.kinds == () and set(KINDS) >= {"fax", "stamps"}


def test_pages_of_unknown_classes_or_learnt_from_are_refused_before_training(
    config_of: ConfigOf, pages: Path, shifted: Path, tmp_path: Path
) -> None:
    for path, said in ((shifted, r"exams\.shifted\.other: classes \['mail'\]"), (pages / "train", "also stand in")):
        config = config_of(exams={"shifted": {"other": {"kind": "folder", "path": str(path)}}})
        for stage in (lambda config=config: stages.run(config, tmp_path / "run"), lambda c=config: stages.check(c)):
            with pytest.raises(InputError, match=said):
                stage()
    assert not (tmp_path / "run").exists()


def test_exams_want_test_pages(config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of(data={"test": None}, exams={"corruptions": {}})
    with pytest.raises(InputError, match="names no test pages"):
        stages.run(config, tmp_path / "run")
    with pytest.raises(ConfigError, match="exams: the run names no test pages"):
        stages.check(config)
