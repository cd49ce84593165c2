"""Methods that change what the student is made of: their runs go on, export and verify as any other."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distildoc.models.experts import gates_of
from distildoc.models.load import fingerprint, load_model, save_model
from distildoc.recipes import classification, stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.folder import RunFolder
from distildoc.train.records import read_records

ConfigOf = Callable[..., RunConfig]


class PowerCut(Exception):
    pass


def config(name: str, config_of: ConfigOf, teacher: Path) -> RunConfig:
    """KD with one of the methods, averaged weights, and a checkpoint after every epoch."""
    terms = [{"method": "supervised", "weight": 0.1}, {"method": "kd", "weight": 0.9}, {"method": name, "weight": 0.1}]
    train = {"epochs": 3, "ema": 0.9, "keep": "last"}
    made = config_of(train=train, terms=terms, teacher={"runs": [str(teacher)]})
    if name == "gates":
        made = made.model_copy(update={"model": made.model.model_validate({"name": "hme", "inner": 4, "outer": 4})})
    return made


@pytest.mark.parametrize("name", ["vam", "gates"])
def test_a_broken_run_goes_on_to_the_bytes_of_an_unbroken_one(
    name: str, config_of: ConfigOf, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = config(name, config_of, teacher)
    stages.train(made, tmp_path / "unbroken")
    scored = []

    def score(student: object, loader: object) -> float:
        scored.append(student)
        if len(scored) == 2:
            raise PowerCut
        return 0.5

    with monkeypatch.context() as patch:
        patch.setattr(classification, "score", score)
        with pytest.raises(PowerCut):
            stages.train(made, tmp_path / "broken")
    stages.train(made, tmp_path / "broken")
    unbroken, broken = ((tmp_path / n / "model" / "model.safetensors").read_bytes() for n in ("unbroken", "broken"))
    assert broken == unbroken


@pytest.mark.parametrize("name", ["vam", "gates"])
def test_the_student_is_scored_exported_and_verified(
    name: str, config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    stages.run(config(name, config_of, teacher), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    trained = folder.stage("train")
    assert trained is not None and trained["model"] == fingerprint(load_model(folder.model))
    assert folder.stage("verify") is not None


def test_gates_of_a_run_lose_entropy_and_the_records_say_so(config_of: ConfigOf, teacher: Path, tmp_path: Path) -> None:
    stages.train(config("gates", config_of, teacher), tmp_path / "run")
    records = [one for one in read_records(tmp_path / "run" / "records.jsonl") if one["kind"] == "train"]
    found = [one["losses"]["gates"] for one in records]  # type: ignore[index]
    assert len(found) == 3
    assert 0 <= found[-1] < found[1] < found[0]
    assert [tuple(gate.affinity.shape) for gate in gates_of(load_model(tmp_path / "run" / "model"))] == [(4, 2), (3, 4)]


def test_a_second_stage_trains_the_blocks_of_a_tree_that_stays_even_where_parents_are_nearly_tied(
    config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    tree = {"name": "hme", "inner": 4, "outer": 4}
    labels = {"method": "supervised"}
    stages.train(config_of(model=tree, terms=[labels, {"method": "gates"}], train={"epochs": 1}), tmp_path / "first")
    first = load_model(tmp_path / "first" / "model")
    with torch.no_grad():
        for gate in gates_of(first):
            rows, best = torch.arange(len(gate.parents)), gate.parents
            gate.affinity[rows, (best + 1) % gate.affinity.shape[1]] = gate.affinity[rows, best] - 0.001
    save_model(first, tmp_path / "first" / "model")
    fixed = {"method": "gates", "start": 1e-6, "end": 1e-6, "watch": True}
    going_on = {"start": str(tmp_path / "first"), "start_with": "all", "train": {"epochs": 4, "lr": 0.02}}
    stages.train(config_of(model=tree, terms=[labels, fixed], **going_on), tmp_path / "second")
    second = load_model(tmp_path / "second" / "model")
    pairs = list(zip(gates_of(first), gates_of(second), strict=True))
    assert len(pairs) == 2
    assert all(torch.equal(old.parents, new.parents) for old, new in pairs)
    before, after = (dict(model.named_parameters()) for model in (first, second))
    assert not torch.equal(before["body.levels.0.0.weight"], after["body.levels.0.0.weight"])
    records = [one for one in read_records(tmp_path / "second" / "records.jsonl") if one["kind"] == "train"]
    assert [one["losses"]["gates"] for one in records] == [0.0] * 4  # type: ignore[index]


def test_a_student_with_virtual_attention_is_stored_as_a_plain_one(
    config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    for name in ("vam", "logit_mse"):
        stages.train(config(name, config_of, teacher), tmp_path / name)
    vam, plain = (load_model(tmp_path / name / "model") for name in ("vam", "logit_mse"))
    assert vam.state_dict().keys() == plain.state_dict().keys()
    assert vam.recipe == plain.recipe
    with torch.no_grad():
        page = torch.rand(1, 3, 32, 32)
        assert not torch.equal(vam(page)["logits"], plain(page)["logits"])
