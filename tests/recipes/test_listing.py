"""Lists of what a run file can name, and the method pages made from them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from distildoc.core.method import Paper
from distildoc.methods import METHODS, method_module, tasks_of
from distildoc.recipes.listing import measured, method_rows, model_rows, needs_of
from distildoc.schema.errors import ConfigError

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def make_methods() -> ModuleType:
    return module_at(DOCS / "make_methods.py")


def module_at(path: Path) -> ModuleType:
    """A script as a module."""
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", METHODS)
def test_paper_of_a_method_is_the_one_its_page_names(name: str) -> None:
    module = method_module(name)
    assert isinstance(module.KIND, str)
    if module.PAPER is None:
        assert "No paper" in module.__doc__
    else:
        assert isinstance(module.PAPER, Paper)
        assert f"{module.PAPER.year}, {module.PAPER.number}" in " ".join(module.__doc__.split())


def test_method_of_another_package_may_lack_paper_and_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ModuleType("theirs", "Their idea.\n\nMore.")
    theirs.build = method_module("kd").build  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "theirs", theirs)
    monkeypatch.setitem(METHODS, "their-kd", "theirs")
    row = method_rows()[-1]
    assert (row["name"], row["paper"], row["year"], row["kind"]) == ("their-kd", None, None, None)
    assert (row["idea"], row["needs"]) == ("Their idea.", ["teacher outputs"])


def test_what_is_told_of_costs_and_gains_is_what_the_result_files_say() -> None:
    make = module_at(DOCS / "make_systems.py")
    assert make.measured() == measured(), "run `python docs/make_systems.py`"
    assert make.PAGE.read_text(encoding="utf-8") == make.page(), "run `python docs/make_systems.py`"


@pytest.mark.parametrize("name", METHODS)
def test_cost_of_every_method_was_measured(name: str) -> None:
    cost = measured()[name]["cost"]
    assert cost, "run `python benchmarks/method_cost.py` and `python docs/make_systems.py`"
    other = {"roi_kd": "pseudo_labels of Faster R-CNNs", "gates": "kd of hme"}
    usual = "kd" if "classification" in tasks_of(method_module(name)) else "query_kd"
    assert cost["over"] == other.get(name, usual)


@pytest.mark.parametrize("name", METHODS)
def test_no_method_of_ours_leaves_open_what_it_needs(name: str) -> None:
    assert needs_of(method_module(name)) != ["depends on the models"]


def test_methods_for_one_kind_of_models_tell_the_needs_they_have_there() -> None:
    assert needs_of(method_module("roi_kd")) == ["teacher features: head.rois"]
    assert needs_of(method_module("gates")) == []


def test_method_that_can_be_built_for_none_of_the_small_networks_says_so() -> None:
    picky = ModuleType("picky")

    def build(pair: object) -> None:
        raise ConfigError("needs three experts")

    picky.build = build  # type: ignore[attr-defined]
    assert needs_of(picky) == ["depends on the models"]


def test_every_preset_has_a_line() -> None:
    rows = model_rows()
    assert len(rows) >= 13 and all(row["name"] and row["model"] for row in rows)


def test_method_pages_in_the_repository_are_up_to_date(make_methods: ModuleType) -> None:
    wanted = make_methods.pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "methods").glob("*.md")}
    assert len(wanted) == 1 + len(METHODS)
    assert there == wanted, "run `python docs/make_methods.py`"


def test_settings_of_a_page_have_values_default_and_bounds(make_methods: ModuleType) -> None:
    page = make_methods.pages()["simkd.md"]
    assert "| `projector` | `none` or `mlp` or `cnn` | `cnn` |" in page
    assert "| `factor` | int > 0 | `2` |" in page


def test_what_was_never_tried_is_told_apart_from_what_gained_nothing() -> None:
    found = measured()
    assert found["encoder_hint"]["helped"] is None
    assert found["one"]["helped"] == []
    assert found["encoder_hint"]["results"] == {"tried": 0, "helped": 0}
    assert found["one"]["results"] == {"tried": 2, "helped": 0}
    places = found["ces_kd"]["helped"]
    told = [(one["study"], one["where"]) for one in places]
    assert told == [("ces_kd", ""), ("ces_kd_ratio", "tenth"), ("ces_kd_more", "micro"), ("ces_kd_more", "nano")]
    assert {one["over"] for one in places} == {"labels alone"} and places[0]["score"] == "accuracy"


def test_a_claim_with_nothing_to_show_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    make = module_at(DOCS / "make_systems.py")
    monkeypatch.setattr(make, "read", lambda path: {"claims": [{"claim": "A", "ours": {"a": 1.0}, "holds": True}]})
    with pytest.raises(ValueError, match="nothing to show of what was found for 'A'"):
        make.page()
