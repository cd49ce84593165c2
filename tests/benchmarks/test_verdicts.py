"""The one rule by which the studies of published systems call a claim shown."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "systems" / "verdicts.py"
ABOVE, AROUND, BELOW = ({"low": low, "high": low + 2, "p_t_test": p} for low, p in ((1, 0.01), (-1, 0.6), (-3, 0.01)))


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


def test_t_test_over_seeds_decides_as_well(verdicts: ModuleType) -> None:
    assert verdicts.verdict({**ABOVE, "p_t_test": 0.01}) is True
    assert verdicts.verdict({**ABOVE, "p_t_test": 0.06}) is False
    assert verdicts.verdict(verdicts.less({**BELOW, "p_t_test": 0.06})) is False
    with pytest.raises(KeyError):
        verdicts.verdict({"low": 1, "high": 2})


def test_differences_of_either_sign_are_told_from_none(verdicts: ModuleType) -> None:
    assert verdicts.apart(ABOVE) and verdicts.apart(BELOW)
    assert not verdicts.apart(AROUND) and not verdicts.apart({**BELOW, "p_t_test": 0.06})


def test_a_margin_moves_the_interval_and_the_seeds(verdicts: ModuleType) -> None:
    moved = verdicts.at_least({"low": -2.0, "high": 1.0, "seeds": [-2.0, -1.0, 0.0]}, 3.0)
    assert moved == {"low": 1.0, "high": 4.0, "p_t_test": 0.0742}  # mean 2, sd 1, t = 2 sqrt(3) on two degrees


def test_p_of_seeds_that_say_nothing_is_one(verdicts: ModuleType) -> None:
    assert verdicts.t_test([1.0, 2.0, 3.0]) == 0.0742
    for alike in ([], [0.5], [0.0, 0.0], [0.1] * 3, [0.8 - 0.7, 0.6 - 0.5, 0.4 - 0.3]):
        assert verdicts.t_test(alike) == 1.0
