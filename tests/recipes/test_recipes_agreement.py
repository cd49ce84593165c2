"""A run's student beside its teacher: what is written, against the tables of ordinary evaluations of both."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from distildoc.evaluate.table import PageTable
from distildoc.evaluate.torch_predictor import TorchPredictor
from distildoc.models.build import build_model
from distildoc.models.detectors.build import build_detector
from distildoc.models.load import load_model, save_model
from distildoc.recipes import stages
from distildoc.recipes.agreement import agreement_exam
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exams_config import AgreementConfig
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import test_pages as pages_of  # under a name that pytest does not collect
from distildoc.recipes.screen import SILENT
from distildoc.recipes.settings import validated
from distildoc.recipes.sizes import preprocess_of
from distildoc.schema.errors import ConfigError, InputError, TapError
from distildoc.schema.pages import FailedPage

ConfigOf = Callable[..., RunConfig]
TAPS = ("early", "late", "penultimate")
SETTINGS = AgreementConfig(taps=TAPS, pages=500)


@pytest.fixture(scope="module")
def taught(config_of: ConfigOf, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that learnt from the teacher."""
    folder = tmp_path_factory.mktemp("taught") / "run"
    changes = {"teacher": {"runs": [str(teacher)]}, "terms": [{"method": "kd", "temperature": 2.0}]}
    stages.train(config_of(train={"epochs": 1, "lr": 0.002}, **changes), folder)
    return folder


@pytest.fixture
def copy(taught: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(taught, tmp_path / "run", ignore=shutil.ignore_patterns("exams")))


def examined(run: Path, settings: AgreementConfig = SETTINGS) -> tuple[dict[str, Any], str]:
    line = agreement_exam(RunFolder(run), settings, SILENT)
    return json.loads((run / "exams" / "agreement.json").read_text()), line


def table(run: Path) -> PageTable:
    """What an ordinary evaluation of the run says about its test pages."""
    folder, model = RunFolder(run), load_model(run / "model")
    predictor = TorchPredictor(
        model, preprocess_of(folder.config()), temperature=folder.require("train", "")["temperature"]
    )
    answers = list(predictor(pages_of(folder.config().data, model.labels).pages))
    rows = [answer.probabilities for answer in answers if not isinstance(answer, FailedPage)]
    targets = [model.labels.index(str(answer.page.label)) for answer in answers if not isinstance(answer, FailedPage)]
    return PageTable(tuple(map(str, range(len(rows)))), model.labels, np.array(targets), np.stack(rows))


def made(folder: Path, config: RunConfig, *, seed: int = 0, temperature: float = 1.0) -> Path:
    """A run that counts as trained, with random weights and this temperature; labels in another order for odd seeds."""
    labels = ("form", "letter", "memo")[:: -1 if seed % 2 else 1]
    model = build_model(
        "cnn-micro", labels=labels, size=(32, 32), channels=1, pretrained=False, seed=seed, **config.model.settings
    )
    RunFolder(folder).claim(config)
    save_model(model, folder / "model")
    RunFolder(folder).finish("train", {"temperature": temperature})
    return folder


def test_scores_are_those_of_both_evaluations(taught: Path, teacher: Path) -> None:
    content, line = examined(taught)
    student, other = table(taught), table(teacher)
    same = student.probabilities.argmax(1) == other.probabilities.argmax(1)
    p, q = other.probabilities.astype(float), student.probabilities.astype(float)
    assert content["format"] == 1
    assert content["pages"] == len(same) == 18
    assert content["teacher"] == "teacher"
    assert content["fidelity"]["value"] == pytest.approx(same.mean())
    assert content["fidelity"]["low"] <= same.mean() <= content["fidelity"]["high"]
    assert content["kl"]["value"] == pytest.approx((p * np.log(p / q)).sum(1).mean(), abs=1e-5)
    assert f"fidelity {same.mean():.4f}" in line
    assert "on 18 pages" in line


def test_cka_has_a_row_a_tap_of_the_student(taught: Path) -> None:
    found = examined(taught)[0]["cka"]
    assert found["student"] == found["teacher"] == list(TAPS)
    values = np.array(found["values"], float)
    assert values.shape == (3, 3)
    assert (np.abs(values) <= 1 + 1e-9).all()


def test_a_student_with_the_weights_of_its_teacher_agrees_in_all(
    config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    config = config_of(model=RunFolder(teacher).config().model.model_dump(), teacher={"runs": [str(teacher)]})
    twin = made(tmp_path / "twin", config, temperature=RunFolder(teacher).require("train", "")["temperature"])
    shutil.copytree(teacher / "model", twin / "model", dirs_exist_ok=True)
    content, _ = examined(twin)
    assert content["fidelity"] == {"value": 1, "low": 1, "high": 1}
    assert content["kl"]["value"] == pytest.approx(0, abs=1e-9)
    assert np.diag(np.array(content["cka"]["values"], float)) == pytest.approx(1)


def test_every_teacher_of_an_ensemble_has_its_own_temperature(config_of: ConfigOf, tmp_path: Path) -> None:
    members = [made(tmp_path / f"t{seed}", config_of(), seed=seed, temperature=0.2 + seed) for seed in (1, 2)]
    config = config_of(teacher={"runs": [str(member) for member in members]})
    run = made(tmp_path / "run", config, seed=4, temperature=0.5)
    content, _ = examined(run)
    first, second, student = (table(folder) for folder in (*members, run))
    p = (first.probabilities[:, ::-1].astype(float) + second.probabilities) / 2
    expected = (p * np.log(p / student.probabilities)).sum(1).mean()
    assert content["kl"]["value"] == pytest.approx(expected, abs=1e-5)
    assert content["teacher"] == "tiny + tiny"
    assert "cka" not in content


def test_a_teacher_of_other_classes_is_compared_by_its_features(
    config_of: ConfigOf, tmp_path: Path, taught: Path
) -> None:
    other = build_model("cnn-micro", labels=("a", "b"), size=(32, 32), channels=1, pretrained=False, seed=1)
    save_model(other, tmp_path / "other" / "model")
    run = made(tmp_path / "run", config_of(teacher={"runs": [str(tmp_path / "other")]}))
    content, line = examined(run)
    assert "fidelity" not in content
    assert np.shape(content["cka"]["values"]) == (3, 3)
    assert content["teacher"] == "other"
    assert line.endswith("CKA of 3 with 3 taps, on 18 pages")


def test_a_finished_exam_is_passed_over_until_something_changes(copy: Path) -> None:
    first, _ = examined(copy)
    path = copy / "exams" / "agreement.json"
    path.write_text(json.dumps({"hash": first["hash"]}))
    again, line = examined(copy)
    assert again == {"hash": first["hash"]}
    assert line.endswith("agreement.json: already done")
    others = [
        examined(copy, settings)[0]["hash"]
        for settings in (AgreementConfig(taps=TAPS, pages=9), AgreementConfig(taps=TAPS[:1], pages=500))
    ]
    assert len({first["hash"], *others}) == 3
    assert examined(copy)[0] == first


def test_so_many_pages_are_taken_as_are_asked_for(copy: Path) -> None:
    assert examined(copy, AgreementConfig(taps=TAPS, pages=7))[0]["pages"] == 7


def test_a_run_without_teacher_has_nothing_to_agree_with(teacher: Path) -> None:
    assert agreement_exam(RunFolder(teacher), SETTINGS, SILENT) == f"{teacher}: no teacher, nothing to agree with"
    assert not (teacher / "exams").exists()


def test_an_unknown_tap_leaves_no_file(copy: Path) -> None:
    with pytest.raises(TapError, match="no module 'layte'"):
        agreement_exam(RunFolder(copy), AgreementConfig(taps=("layte",)), SILENT)
    assert not (copy / "exams").exists()


def test_a_teacher_that_is_gone_is_named(config_of: ConfigOf, tmp_path: Path) -> None:
    run = made(tmp_path / "run", config_of(teacher={"runs": [str(tmp_path / "gone")]}))
    with pytest.raises(ConfigError, match=r"teacher '.*gone': no finished run there"):
        agreement_exam(RunFolder(run), SETTINGS, SILENT)


def test_a_run_that_is_not_trained_is_refused(config_of: ConfigOf, teacher: Path, tmp_path: Path) -> None:
    RunFolder(tmp_path).claim(config_of(teacher={"runs": [str(teacher)]}))
    with pytest.raises(InputError, match="stage 'train' has not finished; run `distildoc train`"):
        agreement_exam(RunFolder(tmp_path), SETTINGS, SILENT)


@pytest.fixture
def detectors(tmp_path: Path) -> Path:
    """A detector's run taught by another, both with random weights, and six pages with a region each."""
    size = {"width": 64, "height": 64}
    content: dict[str, Any] = {"categories": [{"id": 1, "name": "Text"}], "images": [], "annotations": []}
    for number in range(10):
        grey = np.random.default_rng(number).integers(0, 256, (64, 64), dtype=np.uint8)
        split = "train" if number < 4 else "test"
        (tmp_path / split).mkdir(exist_ok=True)
        Image.fromarray(grey).save(tmp_path / split / f"{number}.png")
        content["images"].append({"id": number, "file_name": f"{number}.png", **size})
        box = {"bbox": [8, 8, 30, 20], "area": 600, "iscrowd": 0}
        content["annotations"].append({"id": number, "image_id": number, "category_id": 1, **box})
    for split, chosen in (("train", range(4)), ("test", range(4, 10))):
        part = {
            **content,
            "images": [image for image in content["images"] if image["id"] in chosen],
            "annotations": [one for one in content["annotations"] if one["image_id"] in chosen],
        }
        (tmp_path / split / "pages.json").write_text(json.dumps(part))
    base = {
        "name": "layout",
        "task": "detection",
        "data": {
            "train": {"kind": "coco", "path": str(tmp_path / "train" / "pages.json")},
            "test": {"kind": "coco", "path": str(tmp_path / "test" / "pages.json")},
        },
        "input": {"height": 64, "width": 64},
        "model": {"name": "d-fine-micro", "queries": 12},
    }
    for name, seed in (("teacher", 0), ("student", 1)):
        taught = {"teacher": {"runs": [str(tmp_path / "teacher")]}} if name == "student" else {}
        model = build_detector(
            "d-fine-micro", labels=("Text",), size=(64, 64), channels=1, pretrained=False, seed=seed, queries=12
        )
        save_model(model, tmp_path / name / "model")
        RunFolder(tmp_path / name).claim(validated(RunConfig, {**base, **taught}, "test"))
        RunFolder(tmp_path / name).finish("train", {"thresholds": {"Text": 0.5}})
    return tmp_path / "student"


def test_detectors_are_compared_by_their_features_alone(detectors: Path) -> None:
    content, line = examined(detectors, AgreementConfig(taps=("early", "level:0", "penultimate")))
    assert set(content) == {"format", "hash", "teacher", "pages", "failed", "cka"}
    assert content["cka"]["student"] == content["cka"]["teacher"] == ["early", "level:0"]
    assert np.shape(content["cka"]["values"]) == (2, 2)
    told = "CKA of 2 with 2 taps, the student has no penultimate, the teacher has no penultimate, on 6 pages"
    assert line.endswith(told)


def test_detectors_without_a_common_tap_have_nothing_to_compare(detectors: Path) -> None:
    line = agreement_exam(RunFolder(detectors), AgreementConfig(taps=("penultimate",)), SILENT)
    assert line.endswith("neither classes nor features in common with the teacher, nothing to compare")
    assert not (detectors / "exams").exists()
