"""`teacher: {runs: [...], experts: true}` through the stages: live, cached, in the exam of agreement, and refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distildoc.models.load import load_model
from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.folder import RunFolder
from distildoc.schema.errors import ConfigError

ConfigOf = Callable[..., RunConfig]
TERMS = [{"method": "supervised", "weight": 0.3}, {"method": "ces_kd", "weight": 0.7, "t_full": 0.5}]


@pytest.fixture(scope="module")
def chain(config_of: ConfigOf, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three finished runs from the smallest to the largest; the smallest learnt from the next larger one."""
    folder = tmp_path_factory.mktemp("chain")
    middle = {"name": "cnn-micro", "widths": [6, 12], "depths": [1, 1], "embedding": 6}
    stages.train(config_of(model=middle, train={"epochs": 1}), folder / "middle")
    learnt = config_of(teacher={"runs": [str(folder / "middle")]}, terms=[{"method": "kd"}], train={"epochs": 1})
    stages.train(learnt, folder / "small")
    return [str(folder / "small"), str(folder / "middle"), str(teacher)]


def experts(chain: list[str], **more: Any) -> dict[str, Any]:
    return {"runs": chain, "experts": True, **more}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_model(run / "model").state_dict()


@pytest.mark.parametrize("method", ["ces_kd", "dgkd"])
def test_a_run_with_cached_experts_is_the_one_with_live_experts(
    method: str, config_of: ConfigOf, chain: list[str], tmp_path: Path
) -> None:
    terms = [{"method": "supervised", "weight": 0.3}, {"method": method, "weight": 0.7}]
    changes: dict[str, Any] = {"augmentation": {"views": 2}, "terms": terms}
    live = config_of(teacher=experts(chain), **changes)
    cached = config_of(teacher=experts(chain, cache=str(tmp_path / "cache")), **changes)
    stages.train(live, tmp_path / "live")
    told = stages.cache(cached)
    assert [line.partition(":")[0] for line in told.splitlines()] == [
        str(tmp_path / "cache" / f"expert-{i}") for i in range(3)
    ]
    stages.train(cached, tmp_path / "cached")
    ours, theirs = weights(tmp_path / "cached"), weights(tmp_path / "live")
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in theirs)


def test_other_experts_or_another_order_teach_something_else(
    config_of: ConfigOf, chain: list[str], tmp_path: Path
) -> None:
    found = []
    for number, runs in enumerate((chain, chain[::-1])):
        stages.train(config_of(teacher=experts(runs), terms=TERMS), tmp_path / str(number))
        found.append(weights(tmp_path / str(number)))
    assert any(not torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_check_names_the_experts_and_the_caches_that_are_missing(
    config_of: ConfigOf, chain: list[str], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    config = config_of(teacher=experts(chain, cache=str(cache)), terms=TERMS)
    stages.cache(config)
    assert not any("not written yet" in line for line in stages.check(config))
    shutil.rmtree(cache / "expert-1")
    lines = stages.check(config)
    assert any(f"{cache / 'expert-1'} is not written yet" in line for line in lines)
    assert not any(f"{cache / 'expert-0'} " in line for line in lines)
    assert any(line.startswith("teacher") and "as experts" in line for line in lines)
    with pytest.raises(ConfigError, match=r"expert-1': not written yet; run `distildoc cache`"):
        stages.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_agreement_is_with_the_average_of_the_experts(config_of: ConfigOf, chain: list[str], tmp_path: Path) -> None:
    pages: dict[str, Any] = {"exams": {"agreement": {"pages": 18}}, "train": {"epochs": 1}}
    apart = config_of(teacher=experts(chain), terms=TERMS, **pages)
    stages.train(apart, tmp_path / "apart")
    shutil.copytree(tmp_path / "apart" / "model", tmp_path / "mean" / "model")
    RunFolder(tmp_path / "mean").claim(config_of(teacher={"runs": chain}, terms=[{"method": "kd"}], **pages))
    RunFolder(tmp_path / "mean").finish("train", RunFolder(tmp_path / "apart").stage("train") or {})
    found = []
    for name in ("apart", "mean"):
        stages.exams(tmp_path / name)
        found.append(json.loads((tmp_path / name / "exams" / "agreement.json").read_text()))
    assert found[0]["teacher"] == "tiny + tiny + teacher"
    assert found[0]["fidelity"] == found[1]["fidelity"]
    assert found[0]["kl"] == found[1]["kl"]


def test_one_run_is_no_set_of_experts(config_of: ConfigOf, chain: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"'teacher': .*`experts: true` keeps several runs apart, and `runs` names"):
        config_of(teacher=experts(chain[:1]), terms=TERMS)


def test_an_average_is_no_set_of_experts(config_of: ConfigOf, chain: list[str]) -> None:
    with pytest.raises(ConfigError, match="method 'ces_kd' learns from several teachers one by one"):
        stages.check(config_of(teacher={"runs": chain}, terms=TERMS))


def test_a_method_of_one_teacher_says_so_before_the_first_step(
    config_of: ConfigOf, chain: list[str], tmp_path: Path
) -> None:
    config = config_of(teacher=experts(chain), terms=[{"method": "kd"}])
    with pytest.raises(ConfigError, match="term 'kd' learns from one teacher, and the run keeps 3 apart"):
        stages.train(config, tmp_path / "run")
    with pytest.raises(ConfigError, match="'fitnet' reads features or the head of one teacher model"):
        stages.check(config_of(teacher=experts(chain), terms=[{"method": "fitnet"}]))
    assert not (tmp_path / "run").exists()
