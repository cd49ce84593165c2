"""The table of methods: ours, and those that other packages add."""

from pathlib import Path

import pytest

from distildoc.methods import METHODS, method_module, method_names
from distildoc.schema.errors import ConfigError


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with two entry points, one of them no method."""
    (tmp_path / "their_method.py").write_text("def build(pair):\n    return None\n")
    folder = tmp_path / "theirs-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[distildoc.methods]\ntheir-kd = their_method\nbroken = their_method:build\nkd = their_method\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_every_name_has_a_module_with_a_build() -> None:
    assert len(METHODS) >= 6
    assert all(callable(method_module(name).build) for name in METHODS)


def test_an_unknown_method_is_an_error_that_names_the_closest() -> None:
    with pytest.raises(ConfigError, match="unknown method 'fitnt'; closest: fitnet"):
        method_module("fitnt")


def test_a_method_of_an_installed_package_is_found(other_package: None) -> None:
    assert "their-kd" in method_names()
    assert method_module("their-kd").__name__ == "their_method"


def test_a_name_of_ours_cannot_be_taken_over(other_package: None) -> None:
    assert method_module("kd").__name__ == "distildoc.methods.kd"
    assert method_names().count("kd") == 1


def test_an_entry_point_that_is_no_module_is_an_error(other_package: None) -> None:
    with pytest.raises(ConfigError, match="'broken': its entry point their_method:build is no module with a `build`"):
        method_module("broken")
