"""A run that distils with weight 0 is the run without a teacher: what the paper's baseline was not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distildoc.methods import METHODS, method_module, tasks_of
from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.listing import needs_of

REPLACES = {  # these change the student at any weight, so there is no equal run without them
    "simkd": "it puts the teacher's head into the student",
    "lelp": "it gives the student a head of sub-classes",
    "vam": "it puts scales into the student's layers",
    "one": "it splits the student into branches",
}
TAUGHT = [
    name
    for name in METHODS
    if "classification" in tasks_of(method_module(name)) and needs_of(method_module(name)) and name not in REPLACES
]
ConfigOf = Callable[..., RunConfig]
Outcome = tuple[dict[str, Any], bytes]


def outcome(config: RunConfig, out: Path) -> Outcome:
    """What the stage `train` wrote down of the student, and what it says of every test page."""
    stages.train(config, out)
    stages.evaluate(out)
    trained = RunFolder(out).stage("train") or {}
    left_out = ("seconds", "teacher")
    found = {key: value for key, value in trained.items() if key not in left_out}
    return found, (out / "evaluation" / "predictions.csv").read_bytes()


@pytest.fixture(scope="module")
def plain(config_of: ConfigOf, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return outcome(config_of(augmentation={"views": 2}), tmp_path_factory.mktemp("plain") / "run")


def test_the_methods_that_a_teacher_is_for_were_found() -> None:
    assert {"kd", "logit_mse", "nkd", "fitnet", "reviewkd", "encoder_hint"} <= set(TAUGHT)


@pytest.mark.parametrize("cached", [False, True], ids=["live", "cached"])
@pytest.mark.parametrize("name", TAUGHT)
def test_a_run_that_distils_with_weight_zero_is_the_supervised_one_bit_for_bit(
    name: str, cached: bool, plain: Outcome, config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    if cached and "a live teacher" in needs_of(method_module(name)):
        pytest.skip("its teacher runs again at every step, and a cache is refused")
    config = config_of(
        augmentation={"views": 2},
        teacher={"runs": [str(teacher)], "cache": str(tmp_path / "cache") if cached else None},
        terms=[{"method": "supervised"}, {"method": name, "weight": 0.0}],
    )
    if cached:
        stages.cache(config)
    assert outcome(config, tmp_path / "run") == plain
