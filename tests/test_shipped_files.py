"""Files that users copy from must hold: run files are valid, results say where they come from, tables match results."""

import importlib.util
import json
from pathlib import Path

import pytest

from distildoc.methods import method_module, tasks_of
from distildoc.models.build import settings_of as classifier_settings
from distildoc.models.detectors.build import settings_of as detector_settings
from distildoc.models.load import fingerprint, load_model
from distildoc.recipes.files import read_run_file
from distildoc.recipes.settings import checked_settings
from distildoc.recipes.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
NO_RUNS = {"base", "rvl5", "student", "study", "corpus", "poleval", "doclaynet", "resnet", "vit"}  # shared by others
MODELS_OF = {"classification": classifier_settings, "detection": detector_settings}
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def test_run_files_were_found() -> None:
    assert len(CONFIGS) >= 45 and len(RESULTS) >= 4


@pytest.mark.parametrize("path", [path for path in CONFIGS if path.stem not in NO_RUNS], ids=lambda path: path.stem)
def test_run_file_names_only_what_exists(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILDOC_DATA", "/pages")
    config = read_run_file(path)
    checked_settings(MODELS_OF[config.task](config.model.name), config.model.settings, str(path))
    for term in config.terms:
        module = method_module(term.method)
        assert config.task in tasks_of(module)
        checked_settings(module.build, term.settings, str(path))


@pytest.mark.parametrize(("name", "run_file"), [("student", "supervised"), ("teacher", "teacher")])
def test_shipped_start_fits_the_run_files_that_it_is_for(
    name: str, run_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTILDOC_DATA", "/pages")
    folder = ROOT / "configs" / "detection" / "rcnn"
    start = folder / "starts" / name
    config = read_run_file(folder / f"{run_file}.yaml", [f"start={start}"])
    shipped = load_model(start)
    begun = TASKS["detection"].initial(config, shipped.labels)
    assert len(shipped.labels) == 11 and fingerprint(begun) == fingerprint(shipped)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_says_where_it_comes_from(path: Path) -> None:
    result = json.loads(path.read_text(encoding="utf-8"))
    assert {"command", "commit", "hardware", "seeds"} <= set(result)
    assert len(result["commit"]) == 40


def test_tables_of_the_readme_match_the_results() -> None:
    spec = importlib.util.spec_from_file_location("readme_tables", ROOT / "benchmarks" / "readme_tables.py")
    assert spec is not None and spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "| teacher |" in text
    assert tables.filled(text) == text
