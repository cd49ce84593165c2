"""Files that users copy from must hold: run files are valid, results say where they come from, tables match results."""

import importlib.util
import json
from pathlib import Path

import pytest

from distildoc.methods import method_module
from distildoc.models.build import settings_of
from distildoc.recipes.files import read_run_file
from distildoc.recipes.settings import checked_settings

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
NO_RUNS = {"base.yaml", "rvl5.yaml", "student.yaml"}  # shared by others
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def test_run_files_were_found() -> None:
    assert len(CONFIGS) >= 20 and len(RESULTS) >= 4


@pytest.mark.parametrize("path", [path for path in CONFIGS if path.name not in NO_RUNS], ids=lambda path: path.stem)
def test_run_file_names_only_what_exists(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILDOC_DATA", "/pages")
    config = read_run_file(path)
    checked_settings(settings_of(config.model.name), config.model.settings, str(path))
    for term in config.terms:
        checked_settings(method_module(term.method).build, term.settings, str(path))


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
