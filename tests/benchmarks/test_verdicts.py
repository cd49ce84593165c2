"""The one rule by which the studies of published systems call a claim shown."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "systems" / "verdicts.py"
ABOVE, AROUND, BELOW = ({"low": low, "high": low + 2} for low in (1, -1, -3))


@pytest.fixture(scope="module")
def verdicts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verdicts", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_claim_holds_where_every_comparison_is_surely_for_it(verdicts: ModuleType) -> None:
    assert verdicts.verdict(ABOVE, ABOVE) is True
    assert verdicts.verdict(ABOVE, AROUND) == "partly"
    assert verdicts.verdict(AROUND) is False


def test_one_comparison_surely_against_a_claim_refutes_it(verdicts: ModuleType) -> None:
    assert verdicts.verdict(ABOVE, ABOVE, BELOW) is False
    assert verdicts.verdict(*map(verdicts.less, (BELOW, BELOW))) is True
    assert verdicts.verdict(*map(verdicts.less, (BELOW, ABOVE))) is False


def test_a_claim_without_comparisons_is_refused(verdicts: ModuleType) -> None:
    with pytest.raises(ValueError, match="no comparison"):
        verdicts.verdict()


def test_tests_of_another_kind_are_judged_alike(verdicts: ModuleType) -> None:
    assert verdicts.judged([True, False]) == "partly"
    assert verdicts.judged([True, False], True) is False


def test_t_test_over_seeds_decides_as_well_where_there_is_one(verdicts: ModuleType) -> None:
    assert verdicts.verdict({**ABOVE, "p_t_test": 0.01}) is True
    assert verdicts.verdict({**ABOVE, "p_t_test": 0.06}) is False
