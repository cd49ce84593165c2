"""The curve of a run, from its validation pages to a bundle that abstains."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

import distildoc
from distildoc.models.load import load_model
from distildoc.recipes import stages
from distildoc.recipes.abstaining import curve_of
from distildoc.recipes.config import RunConfig
from distildoc.recipes.pages import listed_pages
from distildoc.schema.bundle import read_bundle
from distildoc.schema.errors import InputError
from distildoc.schema.selective import curve_from_json

ConfigOf = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def unsure(config_of: ConfigOf, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path]:
    """A run that has learnt too little to be right everywhere."""
    config = config_of(train={"epochs": 1, "lr": 0.002}, data={"validation": {"hold_out": 0.5}})
    folder = tmp_path_factory.mktemp("unsure") / "run"
    stages.train(config, folder)
    stages.export(folder)
    return config, folder


@pytest.fixture
def copy(unsure: tuple[RunConfig, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(unsure[1], tmp_path / "run"))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((folder / "run.json").read_text())
    change(record["stages"]["train"])
    (folder / "run.json").write_text(json.dumps(record))


def test_the_curve_is_that_of_the_calibrated_logits() -> None:
    generator = np.random.default_rng(0)
    logits, targets = generator.normal(0, 3, (200, 4)), generator.integers(0, 4, 200)
    curve = curve_of(logits, targets, temperature=1.7)
    confidence, right = softmax(logits / 1.7, axis=1).max(1), logits.argmax(1) == targets
    assert len(curve.points) > 40
    for point in curve.points:
        kept = confidence >= point.threshold
        assert (kept.sum(), (~right[kept]).sum()) == (point.answered, point.errors)


def test_run_and_bundle_hold_the_same_curve(unsure: tuple[RunConfig, Path]) -> None:
    config, folder = unsure
    trained = json.loads((folder / "run.json").read_text())["stages"]["train"]
    curve = curve_from_json(trained["selective"], "selective")
    assert curve == read_bundle(folder / "bundle").selective
    assert curve.pages == len(listed_pages(config.data)[1]) == 21
    assert 1 - curve.points[0].rate == pytest.approx(trained["validation_accuracy"])


def test_the_bundle_answers_the_validation_pages_as_the_curve_says(unsure: tuple[RunConfig, Path]) -> None:
    config, folder = unsure
    pages = listed_pages(config.data)[1].pages
    curve = read_bundle(folder / "bundle").selective
    assert curve is not None and len({point.rate for point in curve.points}) > 2
    for point in curve.points:
        found = [p for p in distildoc.load(folder / "bundle", max_error=point.rate)(pages) if not p.abstained]
        chosen = next(other for other in curve.points if other.rate <= point.rate)
        wrong = sum(prediction.label != prediction.page.label for prediction in found)
        assert (len(found), wrong) == (chosen.answered, chosen.errors)


def test_a_run_from_before_there_were_curves_is_exported_with_one(copy: Path) -> None:
    before = read_bundle(copy / "bundle")
    rewrite(copy, lambda trained: trained.pop("selective"))
    stages.export(copy)
    assert read_bundle(copy / "bundle") == before


def test_without_its_validation_pages_it_is_exported_without_a_curve(
    config_of: ConfigOf, copy: Path, pages: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(copy, lambda trained: trained.pop("selective"))
    config = copy / "config.yaml"
    config.write_text(config.read_text().replace(str(pages), str(tmp_path / "gone")))
    stages.export(copy)
    assert read_bundle(copy / "bundle").selective is None
    assert load_model(copy / "model").labels == read_bundle(copy / "bundle").labels
    assert "the bundle cannot abstain, its curve needs the validation pages" in caplog.text


def test_a_damaged_curve_stops_the_export_in_one_line(copy: Path) -> None:
    rewrite(copy, lambda trained: trained["selective"].update(pages=3))
    before = (copy / "bundle" / "bundle.json").read_bytes()
    with pytest.raises(InputError, match=r"run\.json: 'selective': the first point answers all 3 pages") as error:
        stages.export(copy)
    assert "\n" not in str(error.value)
    assert (copy / "bundle" / "bundle.json").read_bytes() == before
