"""The exam of attacks on finished runs: what it writes, when it is done again, what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exams import exams_are_done
from distildoc.recipes.folder import RunFolder
from distildoc.schema.errors import ConfigError

ConfigOf = Callable[..., RunConfig]


def read(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "exams" / "attacks.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def examined(config_of: ConfigOf, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path]:
    smoothing = {"sigma": 0.05, "draws": 50, "choose": 10, "pages": 4, "radii": [0.01, 0.1]}
    attacks = {"epsilon": 0.2, "steps": [3, 6], "transfer": {"teacher": str(teacher)}, "smoothing": smoothing}
    config = config_of(exams={"attacks": attacks})
    folder = tmp_path_factory.mktemp("runs") / "attacked"
    stages.run(config, folder)
    return config, folder


def test_every_attack_has_an_accuracy_with_an_interval(examined: tuple[RunConfig, Path]) -> None:
    found = read(examined[1])
    assert list(found["accuracy"]) == ["clean", "fgsm", "pgd-3", "pgd-6", "transfer-teacher"]
    assert (found["pages"], found["epsilon"]) == (18, 0.2)
    clean = found["accuracy"]["clean"]["value"]
    report = json.loads((examined[1] / "evaluation" / "report.json").read_text(encoding="utf-8"))
    assert clean == pytest.approx(report["scores"]["accuracy"]["value"])
    assert all(one["low"] <= one["value"] <= min(clean, one["high"]) for one in found["accuracy"].values())
    assert found["accuracy"]["pgd-6"]["value"] < clean, "an attack of a fifth of the range takes some page"


def test_certified_shares_shrink_with_the_radius(examined: tuple[RunConfig, Path]) -> None:
    found = read(examined[1])["certified"]
    assert (found["pages"], found["sigma"], found["draws"]) == (4, 0.05, 50)
    voted, near, far = found["voted"], found["within"]["0.01"], found["within"]["0.1"]
    assert voted["value"] >= near["value"] >= far["value"]
    assert 0 <= found["abstained"] <= 4


def test_it_is_done_once_and_again_with_other_settings(examined: tuple[RunConfig, Path]) -> None:
    config, folder = examined
    assert exams_are_done(RunFolder(folder), config)
    before = (folder / "exams" / "attacks.json").stat().st_mtime_ns
    assert config.exams is not None and config.exams.attacks is not None
    stages.run(config, folder)
    assert (folder / "exams" / "attacks.json").stat().st_mtime_ns == before
    other = config.exams.attacks.model_copy(update={"epsilon": 0.01, "smoothing": None, "transfer": {}, "pages": 9})
    changed = config.model_copy(update={"exams": config.exams.model_copy(update={"attacks": other})})
    assert not exams_are_done(RunFolder(folder), changed)
    stages.run(changed, folder)
    found = read(folder)
    assert (found["epsilon"], found["pages"]) == (0.01, 9) and "certified" not in found
    stages.run(config, folder)
    assert read(folder)["pages"] == 18


def test_detectors_are_refused_before_anything_is_trained(config_of: ConfigOf) -> None:
    with pytest.raises(ConfigError, match="page classification"):
        config_of(task="detection", exams={"attacks": {}})
