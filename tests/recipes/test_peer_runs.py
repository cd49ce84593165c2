"""Whole runs without a teacher in which a student learns from its peers: what is left of these at the end."""

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from distildoc.models.branches import BranchedHead
from distildoc.models.load import load_model
from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.folder import RunFolder

ConfigOf = Callable[..., RunConfig]
ONE = {"method": "one", "branches": 2, "ramp": 0.5}
RUNS = {
    "branch": [ONE],
    "ensemble": [{**ONE, "deploy": "ensemble"}],
    "peer": [{"method": "supervised"}, {"method": "dml"}],
}


@pytest.mark.parametrize("name", RUNS)
def test_the_bundle_says_what_the_student_says_and_only_an_ensemble_is_larger(
    name: str, config_of: ConfigOf, tmp_path: Path
) -> None:
    stages.train(config_of(train={"epochs": 1}), tmp_path / "plain")
    stages.run(config_of(name=name, terms=RUNS[name]), tmp_path / name)
    verified = RunFolder(tmp_path / name).stage("verify")
    assert verified is not None
    names = [set(load_file(tmp_path / run / "model" / "model.safetensors")) for run in ("plain", name)]
    assert (names[0] == names[1]) == (name != "ensemble")
    assert isinstance(load_model(tmp_path / name / "model").head, BranchedHead) == (name == "ensemble")
