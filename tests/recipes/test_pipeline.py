"""The stages of whole runs on tiny pages: what they write, what they pass over, what they refuse."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

import distildoc
from distildoc.models.load import fingerprint, load_model
from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig, SourceConfig
from distildoc.recipes.files import config_hash, read_run_file
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.screen import Screen
from distildoc.schema.errors import ConfigError, InputError
from distildoc.schema.sources import pages_from
from distildoc.study import write_page

ConfigOf = Callable[..., RunConfig]
SIMKD = [{"method": "simkd", "projector": "cnn"}]

TEACHER = {"name": "cnn-micro", "widths": [8, 16], "depths": [1, 1], "embedding": 8}  # of the fixture `teacher`


def run_json(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file's time and bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def body_of(folder: Path) -> dict[str, torch.Tensor]:
    weights = load_file(folder / "model" / "model.safetensors")
    return {name: value for name, value in weights.items() if name.startswith("body.")}


@pytest.fixture(scope="module")
def distilled(config_of: ConfigOf, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path]:
    """A finished kd run with a cached teacher, through all stages."""
    folder = tmp_path_factory.mktemp("distilled")
    config = config_of(
        name="kd",
        augmentation={"views": 2},
        teacher={"runs": [str(teacher)], "cache": str(folder / "cache")},
        terms=[{"method": "kd", "temperature": 4.0}],
    )
    stages.run(config, folder / "kd")
    return config, folder / "kd"


def test_run_writes_every_stage_with_what_made_it(distilled: tuple[RunConfig, Path], teacher: Path) -> None:
    config, folder = distilled
    record = run_json(folder)
    assert record["config_hash"] == config_hash(config) == config_hash(read_run_file(folder / "config.yaml"))
    assert (record["name"], record["kind"], record["method"], record["seed"]) == ("kd", "student", "kd", 0)
    assert list(record["stages"]) == ["train", "evaluate", "export", "verify"]
    trained = record["stages"]["train"]
    assert trained["model"] == fingerprint(load_model(folder / "model"))
    assert trained["teacher"] == fingerprint(load_model(teacher / "model"))
    assert trained["steps"] == 2 * (33 // 8)  # 42 pages, 3 of 14 in each class held out, the incomplete batch left
    assert record["stages"]["verify"]["passed"] and record["stages"]["verify"]["pages"] == 9
    assert len((folder / "train_pages.txt").read_text().splitlines()) == 1 + 33


def test_bundle_scores_the_test_pages_as_the_evaluation_did(distilled: tuple[RunConfig, Path], pages: Path) -> None:
    _, folder = distilled
    report = json.loads((folder / "evaluation" / "report.json").read_text())
    found = list(distildoc.load(folder / "bundle")(pages_from(pages / "test")))
    right = [prediction.label == prediction.page.id.split("/")[0] for prediction in found]
    assert len(right) == report["pages"] == 18
    assert np.mean(right) == pytest.approx(report["scores"]["accuracy"]["value"])


def test_running_again_passes_over_what_is_finished(distilled: tuple[RunConfig, Path]) -> None:
    config, folder = distilled
    before, lines = contents(folder), list[str]()
    stages.run(config, folder, Screen(lines.append))
    assert contents(folder) == before
    assert len(lines) == 4 and all("already" in line for line in lines)


def test_another_run_is_refused_a_folder_that_is_taken(distilled: tuple[RunConfig, Path], config_of: ConfigOf) -> None:
    _, folder = distilled
    before = contents(folder)
    for stage in (stages.train, stages.run):
        with pytest.raises(InputError, match="holds a run with other settings"):
            stage(config_of(seed=5), folder)
    assert contents(folder) == before


def test_report_page_names_both_runs(distilled: tuple[RunConfig, Path], teacher: Path, tmp_path: Path) -> None:
    write_page([teacher, distilled[1]], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(word in page for word in ("teacher", "kd", run_json(distilled[1])["config_hash"]))
    assert "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.parametrize("projector", ["cnn", "mlp"])
def test_simkd_student_leaves_the_house_with_the_teachers_classifier(
    projector: str, config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    terms = [{"method": "simkd", "projector": projector}]
    stages.run(config_of(teacher={"runs": [str(teacher)]}, terms=terms), tmp_path / "run")
    student, taught = (load_model(folder / "model") for folder in (tmp_path / "run", teacher))
    head = {name: value for name, value in student.head.state_dict().items() if name.startswith("classifier.")}
    theirs = dict(taught.head.state_dict())
    assert torch.equal(head["classifier.weight"], theirs["weight"])
    stored = onnx.load(str(tmp_path / "run" / "bundle" / "model.onnx")).graph.initializer
    weights = [onnx.numpy_helper.to_array(tensor) for tensor in stored]
    wanted = theirs["weight"].numpy()
    assert any(w.shape in (wanted.shape, wanted.T.shape) and w.size == wanted.size for w in weights)
    assert run_json(tmp_path / "run")["stages"]["verify"]["passed"]


def test_ensemble_teaches_with_the_mean_of_its_members(config_of: ConfigOf, teacher: Path, tmp_path: Path) -> None:
    stages.train(config_of(name="second", seed=9), tmp_path / "second")
    runs = [str(teacher), str(tmp_path / "second")]
    config = config_of(teacher={"runs": runs, "cache": str(tmp_path / "cache")}, terms=[{"method": "logit_mse"}])
    assert "logits" in stages.cache(config)
    stages.train(config, tmp_path / "run")
    assert run_json(tmp_path / "run")["stages"]["train"]["teacher"] not in {
        run_json(Path(run))["stages"]["train"]["model"] for run in runs
    }
    with pytest.raises(ConfigError, match="name a single `teacher`"):
        stages.check(config_of(teacher={"runs": runs}, terms=SIMKD))


def test_kd_with_weight_zero_is_the_supervised_run_bit_for_bit(
    config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    terms = [{"method": "supervised"}, {"method": "kd", "weight": 0.0}]
    stages.train(config_of(), tmp_path / "plain")
    stages.train(config_of(teacher={"runs": [str(teacher)]}, terms=terms), tmp_path / "kd")
    plain, kd = ((tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("plain", "kd"))
    assert plain == kd


def test_same_run_twice_gives_the_same_bytes_and_another_seed_does_not(config_of: ConfigOf, tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        stages.train(config_of(seed=seed, augmentation={}), tmp_path / name)
        found.append((tmp_path / name / "model" / "model.safetensors").read_bytes())
    assert found[0] == found[1] != found[2]


def test_subset_has_so_many_pages_of_every_class_and_is_written_down(config_of: ConfigOf, tmp_path: Path) -> None:
    written = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        stages.train(config_of(data={"per_class": 4, "subset_seed": seed}, train={"epochs": 1}), tmp_path / name)
        written.append((tmp_path / name / "train_pages.txt").read_text().splitlines()[1:])
    assert [sum(id.startswith(label) for id in written[0]) for label in ("form/", "letter/", "memo/")] == [4, 4, 4]
    assert written[0] == written[1] and set(written[0]) != set(written[2])


def test_label_map_merges_and_drops_classes_from_pages_to_bundle(config_of: ConfigOf, tmp_path: Path) -> None:
    stages.run(config_of(data={"labels": {"rename": {"memo": "letter"}}}, train={"epochs": 1}), tmp_path / "merged")
    assert distildoc.load(tmp_path / "merged" / "bundle").labels == ("form", "letter")
    assert json.loads((tmp_path / "merged" / "evaluation" / "report.json").read_text())["pages"] == 18
    stages.train(config_of(data={"labels": {"drop": ["memo"]}}, train={"epochs": 1}), tmp_path / "dropped")
    assert load_model(tmp_path / "dropped" / "model").labels == ("form", "letter")


def test_label_map_may_name_a_class_that_the_test_pages_lack(config_of: ConfigOf, pages: Path) -> None:
    labels = {"rename": {"memo": "letter"}}
    test = {"kind": "folder", "path": str(pages / "fewer")}
    for label in ("form", "letter"):
        (pages / "fewer").mkdir(exist_ok=True)
        (pages / "fewer" / label).symlink_to(pages / "test" / label)
    assert any("12 pages" in line for line in stages.check(config_of(data={"labels": labels, "test": test})))


def test_batches_of_one_page_can_be_trained_on(config_of: ConfigOf) -> None:
    assert stages.check(config_of(train={"batch": 1}))


def test_checkpoint_of_another_teacher_is_refused(config_of: ConfigOf, teacher: Path, tmp_path: Path) -> None:
    """The run file names the teacher by folder; what stands there may have been trained anew."""
    moving = tmp_path / "teacher"
    moving.symlink_to(teacher)
    config = config_of(teacher={"runs": [str(moving)]}, terms=[{"method": "kd"}])
    stages.train(config, tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()  # as if killed after its last checkpoint
    stages.train(config_of(name="other", seed=3), tmp_path / "other")
    moving.unlink()
    moving.symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="another configuration"):
        stages.train(config, tmp_path / "run")


@pytest.mark.parametrize("split", ["test", "validation"])
def test_pages_that_are_learnt_from_cannot_judge(config_of: ConfigOf, pages: Path, split: str) -> None:
    config = config_of()
    same = SourceConfig.model_validate({"kind": "folder", "path": str(pages / "train")})
    data = config.data.model_copy(update={split: same})
    with pytest.raises(InputError, match=rf"data\.{split}: \d+ of 42 pages also stand in data\.train"):
        stages.check(config.model_copy(update={"data": data}))


def test_no_epoch_keeps_the_weights_that_were_loaded(config_of: ConfigOf, teacher: Path, tmp_path: Path) -> None:
    again = config_of(name="again", model=TEACHER, start=str(teacher), train={"epochs": 0})
    stages.train(again, tmp_path / "run")
    old, new = (load_file(folder / "model" / "model.safetensors") for folder in (teacher, tmp_path / "run"))
    assert all(torch.equal(old[name], new[name]) for name in old if name.startswith("body."))
    assert RunFolder(tmp_path / "run").stage("train")["steps"] == 0


def test_export_makes_an_older_verification_void(config_of: ConfigOf, tmp_path: Path) -> None:
    stages.run(config_of(), tmp_path / "run")
    stages.export(tmp_path / "run")
    assert RunFolder(tmp_path / "run").stage("verify") is None
    stages.run(config_of(), tmp_path / "run")
    assert (tmp_path / "run" / "bundle" / "verify.json").is_file()


def test_student_of_a_teacher_that_was_trained_anew_is_refused(config_of: ConfigOf, tmp_path: Path) -> None:
    folder = tmp_path / "teacher"
    stages.train(config_of(name="teacher", model=TEACHER, train={"epochs": 1}), folder)
    student = config_of(teacher={"runs": [str(folder)]}, terms=[{"method": "kd"}], train={"epochs": 1})
    stages.train(student, tmp_path / "student")
    shutil.rmtree(folder)
    stages.train(config_of(name="teacher", model=TEACHER, seed=7, train={"epochs": 1}), folder)
    with pytest.raises(InputError, match="was distilled from another teacher"):
        stages.train(student, tmp_path / "student")


def test_check_builds_a_run_whose_cache_is_not_written_yet(config_of: ConfigOf, teacher: Path, tmp_path: Path) -> None:
    cached = {"runs": [str(teacher)], "cache": str(tmp_path / "cache")}
    lines = stages.check(config_of(teacher=cached, terms=[{"method": "kd"}], augmentation={"views": 2}))
    assert any("not written yet" in line for line in lines) and not (tmp_path / "cache").exists()


def test_a_cache_that_a_method_cannot_use_is_refused_before_it_is_written(
    config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    cached = {"runs": [str(teacher)], "cache": str(tmp_path / "cache")}
    config = config_of(teacher=cached, terms=[{"method": "bss"}], augmentation={"views": 2})
    for stage in (stages.check, stages.cache):
        with pytest.raises(ConfigError, match="term 'bss' runs the teacher again at every step"):
            stage(config)
    assert not (tmp_path / "cache").exists()


def test_a_tap_that_nothing_depends_on_is_refused_before_anything_is_written(
    config_of: ConfigOf, tmp_path: Path
) -> None:
    vit = {"name": "vit-micro", "width": 16, "depth": 2, "heads": 2, "patch": 8}
    stages.train(config_of(model=vit, train={"epochs": 0}), tmp_path / "vit")
    config = config_of(
        teacher={"runs": [str(tmp_path / "vit")], "cache": str(tmp_path / "cache")},
        terms=[{"method": "gradient_features", "student_tap": "late", "teacher_tap": "late"}],
    )
    for stage in (stages.check, stages.cache, lambda config: stages.train(config, tmp_path / "run")):
        with pytest.raises(ConfigError, match="do not depend on its 'late'; set `teacher_tap` to an earlier layer"):
            stage(config)
    assert [path.name for path in tmp_path.iterdir()] == ["vit"]


def test_weights_of_a_deeper_tap_come_from_the_cache_as_from_the_live_teacher(
    config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    term = {"method": "gradient_features", "student_tap": "middle", "teacher_tap": "middle", "draws": 2}
    totals = []
    for name, cache in (("live", None), ("cached", str(tmp_path / "cache"))):
        config = config_of(
            name=name,
            teacher={"runs": [str(teacher)], "cache": cache, "cache_dtype": "float16"},
            terms=[{"method": "supervised"}, term],
            augmentation={"views": 2},
            train={"epochs": 2},
        )
        if cache:
            assert "fisher2:middle" in stages.cache(config)
        stages.train(config, tmp_path / name)
        records = [json.loads(line) for line in (tmp_path / name / "records.jsonl").read_text().splitlines()]
        totals.append([one["total"] for one in records if one["kind"] == "train"])
    assert totals[0] == pytest.approx(totals[1], rel=3e-3) and totals[0]
