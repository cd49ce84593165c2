"""What DiffKD's features are held against, and which steps its second claim on them counts."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from distildoc.methods.diffkd import Settings, Spot
from distildoc.models.grids import Grid

SYSTEMS = Path(__file__).resolve().parents[2] / "benchmarks" / "systems"
UP, DOWN = ({"value": sign * 1.0, "low": sign - 0.5, "high": sign + 0.5, "p_t_test": 0.01} for sign in (1, -1))


@pytest.fixture
def nearer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SYSTEMS))
    return importlib.import_module("diffkd_nearer")


def features(*, near: list[Any], before: list[Any]) -> dict[str, Any]:
    stages = ("ready: error", "entered: cosine", "step 1: cosine", "r of entered: cosine", "ready: cosine")
    named = {str(number): one for number, one in enumerate(near)}
    return {
        "of": "ours",
        "stages": {"ours": {name: {"value": 0.5} for name in stages}},
        "adapters": {name: {"value": 0.5} for name in named},
        "nearer": named,
        "rises": {"before r": before, "behind r": [UP]},
    }


def test_equal_adapter_has_as_many_weights_as_the_layers_it_stands_for(nearer: ModuleType) -> None:
    grids, shapes = (Grid(), Grid()), ((8, 4, 4), (12, 4, 4))
    spot = Spot("map", grids=grids, shapes=shapes, settings=Settings((100, 0), 6, True, True, False))
    adapter = importlib.import_module("diffkd_adapter").EqualAdapter(spot, 8)
    layers = (spot.enter, spot.predictor, spot.leave)
    expected = sum(weight.numel() for layer in layers if layer is not None for weight in layer.parameters())
    assert sum(weight.numel() for weight in adapter.parameters()) == expected


def test_steps_begin_where_the_student_enters(nearer: ModuleType) -> None:
    names = ("entered", "step 1", "step 2", "r of entered", "r of step 1", "ready")
    stages = {f"{name}: {what}": (name, what) for name in names for what in ("error", "cosine")}
    found = {where: [name for name, _ in cosines] for where, cosines in nearer.paths(stages)}
    assert found == {"before r": ["entered", "step 1", "step 2"], "behind r": ["r of entered", "r of step 1", "ready"]}


def test_each_claim_needs_all_of_its_differences(nearer: ModuleType) -> None:
    holds = {
        name: [one["holds"] for one in nearer.claims(features(near=near, before=before), tried="once")]
        for name, near, before in (
            ("all", [UP, UP], [UP]),
            ("one adapter is nearer", [UP, DOWN], [UP]),
            ("the first step falls", [UP, UP], [DOWN]),
        )
    }
    assert holds == {"all": [True, True], "one adapter is nearer": [False, True], "the first step falls": [True, False]}
