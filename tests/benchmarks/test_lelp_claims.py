"""How the controls of LELP are judged: at the best temperature and at an equal one, within a margin."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for folder in ("benchmarks", "benchmarks/systems"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    import lelp_claims  # type: ignore[import-not-found]

    return lelp_claims


def scored(means: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Accuracies [5, 1 + 4000] of arms whose seeds differ by a tenth of a point."""
    spread = np.random.default_rng(0).normal(0, 0.001, (len(means), 5, 4001))
    return {name: mean + noise for (name, mean), noise in zip(means.items(), spread, strict=True)}


def test_random_subclasses_do_not_help_where_they_gain_less_than_a_point(claims: ModuleType) -> None:
    found = scored({"supervised": 0.8, "kd_1": 0.85, "kd_4": 0.9, "random_subclasses_t4": 0.905})
    judged = claims.random_claim(found, "kd_4", "random_subclasses_t4")
    assert judged["holds"] is True and list(judged["ours"]) == ["random - KD, both at 4", "random - labels"]
    found["random_subclasses_t4"] += 0.01
    assert claims.random_claim(found, "kd_4", "random_subclasses_t4")["holds"] is False


def test_a_gain_at_equal_temperature_is_not_hidden_by_the_best_one(claims: ModuleType) -> None:
    found = scored({"supervised": 0.8, "kd_1": 0.85, "kd_4": 0.9, "random_subclasses": 0.88})
    judged = claims.random_claim(found, "kd_4", "random_subclasses")
    assert list(judged["ours"]) == ["random - KD", "random - KD, both at 1", "random - labels"]
    assert judged["holds"] is False
    assert judged["ours"]["random - KD, both at 1"]["value"] == pytest.approx(0.03, abs=0.002)


def test_other_temperatures_are_told_but_do_not_decide(claims: ModuleType) -> None:
    found = scored({"lelp_8": 0.9, "lelp_8_t4": 0.8, "random_subclasses": 0.85, "random_subclasses_t4": 0.84})
    judged = claims.embeddings_claim(found, "lelp_8", "random_subclasses")
    assert list(judged["ours"]) == ["LELP - random, both at 1", "LELP - random, both at 4"]
    assert judged["holds"] is True
    assert claims.embeddings_claim(found, "lelp_8_t4", "random_subclasses")["holds"] is False
