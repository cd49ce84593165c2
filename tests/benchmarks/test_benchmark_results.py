import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = sorted((ROOT / "benchmarks" / "results").rglob("*.json"))
OURS = ("step_time", "cache_epoch", "corpus_speed", "predict_memory")


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_the_four_speed_and_memory_results_are_there() -> None:
    assert set(OURS) <= {path.stem for path in RESULTS}


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_says_how_from_what_where_and_with_which_seeds_it_was_made(path: Path) -> None:
    found = read(path)
    assert found["command"].startswith("python benchmarks/")
    assert (ROOT / found["command"].split()[1]).is_file()
    assert len(found["commit"]) == 40 and int(found["commit"], 16) >= 0
    assert "cores" in found["hardware"]
    assert found["seeds"] and all(isinstance(seed, int) for seed in found["seeds"])


@pytest.mark.parametrize("name", OURS)
def test_result_has_figures_and_versions(name: str) -> None:
    found = read(ROOT / "benchmarks" / "results" / f"{name}.json")
    assert found["versions"]["distildoc"]
    assert set(found) - {"command", "commit", "hardware", "seeds", "versions"}
