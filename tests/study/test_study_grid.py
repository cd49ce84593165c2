"""The grid: places, baselines, keys, and what is refused before anything runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from distildoc.recipes.layers import overlay
from distildoc.recipes.settings import validated
from distildoc.schema.errors import ConfigError
from distildoc.study.config import StudyConfig, read_study
from distildoc.study.jobs import Plan, plan

RUN: Mapping[str, Any] = {
    "data": {"train": {"kind": "folder", "path": "pages/train"}, "test": {"kind": "folder", "path": "pages/test"}},
    "augmentation": {"views": 2},
    "model": {"name": "cnn-micro"},
}
STUDY: Mapping[str, Any] = {
    "name": "grid",
    "run": RUN,
    "before": {"start": {}, "teacher": {"start": "@start"}},
    "axes": {
        "student": {"a": {}, "b": {"model": {"name": "cnn-micro", "embedding": 16}}},
        "method": {
            "kd": {"teacher": {"runs": ["@teacher"]}, "terms": [{"method": "kd"}]},
            "mse": {"teacher": {"runs": ["@teacher"]}, "terms": [{"method": "logit_mse"}]},
        },
    },
    "seeds": [0, 1, 2],
}


METHODS = (("kd", "kd"), ("mse", "logit_mse"))


def planned(tmp_path: Path, **changes: Any) -> Plan:
    return plan(validated(StudyConfig, overlay(STUDY, changes), "study"), tmp_path)


def keys(found: Plan) -> set[str]:
    return {cell.run.key for cell in found.cells}


def test_every_place_has_every_seed_and_a_baseline(tmp_path: Path) -> None:
    found = planned(tmp_path)
    assert len(found.cells) == 2 * (2 + 1) * 3
    assert {cell.at["method"] for cell in found.cells} == {"kd", "mse", "supervised"}


def test_a_cell_is_compared_with_labels_alone_at_its_own_student_and_seed(tmp_path: Path) -> None:
    found = planned(tmp_path)
    by_key = {cell.run.key: cell for cell in found.cells}
    compared = [cell for cell in found.cells if cell.baseline is not None]
    assert len(compared) == 2 * 2 * 3
    for cell in compared:
        base = by_key[str(cell.baseline)]
        assert (base.at["student"], base.seed, base.at["method"]) == (cell.at["student"], cell.seed, "supervised")
        assert base.run.config.teacher is None


def test_the_first_seed_of_all_places_comes_first(tmp_path: Path) -> None:
    assert [cell.seed for cell in planned(tmp_path).cells] == [0] * 6 + [1] * 6 + [2] * 6


def test_a_baseline_that_two_places_share_is_run_once(tmp_path: Path) -> None:
    terms = [{"method": "supervised"}, {"method": "kd"}]
    axes = {
        "method": {"kd": {"terms": terms}, "mse": {"terms": terms}},
        "weight": {"low": {"terms.1.weight": 0.1}, "high": {"terms.1.weight": 1.0}},
    }
    found = planned(tmp_path, axes=axes, seeds=[0])
    bases = [cell for cell in found.cells if cell.at["method"] == "supervised"]
    assert len(bases) == 2 * 2
    assert len({cell.run.key for cell in bases if cell.at["student"] == "a"}) == 1


def test_a_row_with_another_student_has_a_baseline_of_its_own(tmp_path: Path) -> None:
    found = planned(tmp_path, axes={"method": {"mse": {"model": {"name": "cnn-micro", "embedding": 4}}}}, seeds=[0])
    assert len(found.cells) == 2 * (2 + 2)
    rows = {cell.run.key: cell.at["method"] for cell in found.cells}
    for cell in found.cells:
        if cell.baseline is not None:
            assert rows[cell.baseline] == {"kd": "supervised", "mse": "supervised-mse"}[cell.at["method"]]


def test_a_run_that_asks_no_teacher_is_the_same_run_whatever_teacher_is_named(tmp_path: Path) -> None:
    axes = {"method": {"plain": {"terms": [{"method": "supervised"}]}, "kd": None, "mse": None}}
    named = planned(tmp_path, axes=axes, run={"teacher": {"runs": ["@teacher"]}})
    plain = [cell.run.key for cell in named.cells if cell.at["method"] == "plain"]
    assert plain == [cell.run.key for cell in named.cells if cell.at["method"] == "supervised"]


@pytest.mark.parametrize(
    "change",
    [
        {"run": {"train": {"epochs": 3}}},
        {"before": {"teacher": {"train": {"epochs": 3}}}},
        {"before": {"start": {"train": {"epochs": 3}}}},
    ],
    ids=["the run", "its teacher", "what its teacher starts from"],
)
def test_the_key_changes_with(change: Mapping[str, Any], tmp_path: Path) -> None:
    kd = {cell.run.key for cell in planned(tmp_path).cells if cell.at["method"] == "kd"}
    assert not kd & keys(planned(tmp_path, **change))


@pytest.mark.parametrize(
    "change",
    [{"name": "other"}, {"cache": False}, {"export": "all"}, {"run": {"export": {"tolerance": 0.1}}}],
    ids=["the study's name", "the cache", "the bundles wanted", "the tolerance of verify"],
)
def test_the_key_does_not_change_with(change: Mapping[str, Any], tmp_path: Path) -> None:
    assert keys(planned(tmp_path)) == keys(planned(tmp_path, **change))


def test_the_key_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    assert keys(planned(tmp_path / "one")) == keys(planned(tmp_path / "two"))


def test_names_become_the_folders_of_the_runs_before(tmp_path: Path) -> None:
    found = planned(tmp_path)
    start, teacher = found.before
    kd = next(cell.run for cell in found.cells if cell.at["method"] == "kd")
    assert kd.config.teacher is not None
    assert kd.config.teacher.runs == (str(teacher.folder(tmp_path)),)
    assert teacher.config.start == str(start.folder(tmp_path))
    assert teacher.after == (start.key,)


def test_students_of_one_teacher_share_one_cache_and_wait_for_it(tmp_path: Path) -> None:
    found = planned(tmp_path)
    caches = [job for job in found.jobs if job.kind == "cache"]
    assert len(caches) == 1
    for job in found.jobs:
        if job.kind == "cell" and job.runs[0].teacher is not None:
            assert job.runs[0].teacher.cache == str(caches[0].path)
            assert caches[0].key in job.after


@pytest.mark.parametrize(
    "change",
    [{"cache": False}, {"run": {"augmentation": {"views": None}}}, {"run": {"input": {"scales": [64]}}}],
    ids=["unwanted", "views without bound", "several sizes"],
)
def test_the_teacher_is_asked_live_where_a_cache_is(change: Mapping[str, Any], tmp_path: Path) -> None:
    found = planned(tmp_path, **change)
    assert all(job.kind != "cache" for job in found.jobs)
    assert all(job.runs[0].teacher.cache is None for job in found.jobs if job.runs[0].teacher is not None)


def test_places_can_be_left_out(tmp_path: Path) -> None:
    found = planned(tmp_path, leave_out=[{"student": "a", "method": "mse"}])
    assert {tuple(cell.at.values()) for cell in found.cells} >= {("a", "kd"), ("b", "mse")}
    assert ("a", "mse") not in {tuple(cell.at.values()) for cell in found.cells}


def test_a_search_is_planned_before_the_cells_it_decides(tmp_path: Path) -> None:
    space = {"terms.0.temperature": {"low": 1.0, "high": 9.0}}
    axes = {"method": {"mse": {"terms": [{"method": "kd"}, {"method": "logit_mse"}]}}}
    found = planned(tmp_path, axes=axes, search={"space": space, "trials": 2})
    assert sum(job.kind == "search" for job in found.jobs) == 4  # two students, two methods
    assert {cell.at["method"] for cell in found.cells} == {"supervised"}


def test_the_baseline_is_searched_over_what_it_shares_with_the_methods(tmp_path: Path) -> None:
    space = {"train.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "terms.0.weight": {"choices": [0.5, 1.0]}}
    found = planned(tmp_path, search={"space": space, "trials": 2})
    spaces = {job.place.at["method"]: set(job.place.space) for job in found.jobs if job.place is not None}
    assert spaces == {"kd": set(space), "mse": set(space), "supervised": {"train.lr"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": {"method": {"kd": {"teacher": {"runs": ["@techer"]}}}}}, "closest: teacher"),
        ({"before": {"start": {"start": "@teacher"}}}, "wait for each other"),
        ({"axes": {"method": {"kd": {"terms": [{"method": "kdd"}]}}}}, "kdd"),
        ({"axes": {"method": {"kd": {"terms.0.temprature": 2}}}}, "closest: temperature"),
        ({"axes": {"method": {"kd": {"terms.4.weight": 2}}}}, "no position '4' in a list of 1"),
        ({"axes": {"student": {"b": {"model": {"name": "cnn-mikro"}}}}}, "closest: cnn-micro"),
        ({"run": {"data": {"train": {"kind": "foldr"}}}}, "closest: folder"),
        ({"run": {"train": {"epochs": -1}}}, "epochs"),
    ],
    ids=["run", "circle", "method", "setting", "position", "model", "reader", "value"],
)
def test_a_mistake_is_one_line_before_anything_runs(change: Mapping[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        planned(tmp_path, **change)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: a\n", "names no `axes`"),
        ("name: a\naxes: {method: {}}\n", "has no choice"),
        ("name: a\naxes: {method: {supervised: {}}}\n", "baseline is called 'supervised'"),
        ("name: a\naxes: {method: {kd: {}}}\nrows: student\n", "no axis 'student'"),
        ("name: a\naxes: {method: {kd: {}}}\ncolumns: method\n", "both the axis 'method'"),
        ("name: a\naxes: {method: {kd: {}}}\nleave_out: [{method: mse}]\n", "no 'mse' on an axis 'method'"),
        ("name: a/b\naxes: {method: {kd: {}}}\n", "'name'"),
        ("name: a\naxis: {method: {kd: {}}}\n", "closest: axes"),
        ("name: a\nbase: nothing.yaml\naxes: {method: {kd: {}}}\n", "no such file"),
    ],
)
def test_a_wrong_study_file_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_study(file)


def test_numbers_are_choices_too(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("name: a\naxes: {alpha: {0.5: {train.epochs: 3}, 1: }}\n")
    assert list(read_study(file).axes["alpha"]) == ["0.5", "1"]


def test_a_study_builds_on_a_run_file_and_takes_overrides(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("model: {name: cnn-micro}\ntrain: {epochs: 3, lr: 0.1}\n")
    file = tmp_path / "study.yaml"
    file.write_text("name: a\nbase: run.yaml\nrun: {train: {epochs: 5}}\naxes: {method: {kd: {}}}\n")
    assert read_study(file, ["run.train.batch=4"]).run == {
        "model": {"name": "cnn-micro"},
        "train": {"epochs": 5, "lr": 0.1, "batch": 4},
    }


def test_a_run_before_that_is_renamed_is_the_same_run(tmp_path: Path) -> None:
    before = {"start": {}, "tutor": {"start": "@start"}}
    axes = {"method": {name: {"teacher": {"runs": ["@tutor"]}, "terms": [{"method": m}]} for name, m in METHODS}}
    renamed = plan(
        validated(StudyConfig, {**STUDY, "before": before, "axes": {**STUDY["axes"], **axes}}, "study"), tmp_path
    )
    assert keys(renamed) == keys(planned(tmp_path))


def test_a_method_that_joins_later_gets_a_cache_that_holds_its_features(tmp_path: Path) -> None:
    joined = {"method": {"hint": {"teacher": {"runs": ["@teacher"]}, "terms": [{"method": "fitnet"}]}}}
    paths = [
        {job.path for job in planned(tmp_path, **change).jobs if job.kind == "cache"}
        for change in ({}, {"axes": joined})
    ]
    assert len(paths[0]) == len(paths[1]) == 1
    assert paths[0] != paths[1]


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"terms.0.temprature": {"low": 1.0, "high": 2.0}}, "closest: temperature"),
        ({"terms.0.temperature": {"low": 2.0, "high": 1.0}}, "needs low < high"),
        ({"terms.0.temperature": {"low": 0.0, "high": 1.0, "log": True}}, "low above 0"),
    ],
)
def test_a_wrong_search_space_is_one_line_before_anything_runs(
    space: Mapping[str, Any], words: str, tmp_path: Path
) -> None:
    axes = {"axes": {"method": {"mse": {"terms": [{"method": "kd"}]}}}}
    with pytest.raises(ConfigError, match=words):
        planned(tmp_path, search={"space": space}, **axes)


def test_places_that_share_a_search_share_what_it_finds(tmp_path: Path) -> None:
    tutors = {"one": {"teacher": {"runs": ["@teacher"]}}, "two": {"teacher": {"runs": ["@start"]}}}
    axes = {"tutor": tutors, "method": {"kd": {"terms": [{"method": "kd"}]}}}
    space = {"train.lr": {"low": 0.001, "high": 0.01}}
    content = {**STUDY, "axes": axes, "search": {"space": space}, "seeds": [0]}
    study = validated(StudyConfig, content, "study")
    searches = [job for job in plan(study, tmp_path).jobs if job.kind == "search"]
    assert len(searches) == 3  # two tutors, and labels alone once
    for job in searches:
        job.path.parent.mkdir(exist_ok=True)
        job.path.write_text('{"best": {"train.lr": 0.005}}')
    assert len(plan(study, tmp_path).cells) == 4


def test_aliases_are_read_as_what_they_stand_for(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("name: a\nrun: &r {train: {epochs: 1}}\nbefore: {b: *r}\naxes: {method: {kd: {}}}\n")
    assert read_study(file).before == {"b": {"train": {"epochs": 1}}}


@pytest.mark.parametrize(
    "lines",
    [["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))], ["a: &a [*a]"]],
    ids=["many", "a circle"],
)
def test_aliases_that_stand_for_too_much_are_one_line(lines: list[str], tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("\n".join(["name: a", *lines]))
    with pytest.raises(ConfigError, match="stand for more than 100000 values"):
        read_study(file)
