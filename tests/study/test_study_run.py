"""Running a study: what is there is not done again, what was killed goes on, what fails stops nothing else."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.screen import SILENT
from distildoc.recipes.settings import validated
from distildoc.schema.errors import InputError
from distildoc.study.config import StudyConfig
from distildoc.study.jobs import plan
from distildoc.study.perform import perform
from distildoc.study.pools import Here, Processes
from distildoc.study.results import read_results
from distildoc.study.run import in_words, run_study
from distildoc.study.statistics import places_of
from distildoc.study.tables import places_csv

CELLS = 8
SPEC = importlib.util.spec_from_file_location("tiny_study", Path(__file__).with_name("tiny.py"))
assert SPEC is not None
assert SPEC.loader is not None
tiny = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tiny)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "pages"
    tiny.draw_pages(folder)
    return folder


def study(pages: Path, **changes: Any) -> StudyConfig:
    return validated(StudyConfig, dict(tiny.study_of(pages, **changes)), "study")


def run_here(wanted: StudyConfig, folder: Path) -> tuple[dict[str, str], list[str]]:
    lines: list[str] = []
    return run_study(wanted, folder, Here(folder, SILENT), lines.append), lines


def answers(folder: Path) -> dict[str, bytes]:
    """What every run of a study said of every page, byte for byte."""
    found = sorted(folder.glob("runs/*/evaluation/predictions.csv"))
    return {path.parts[-3]: path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def unbroken(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A finished study, and what was said on the way."""
    folder = tmp_path_factory.mktemp("unbroken")
    failed, lines = run_here(study(pages), folder)
    assert not failed
    return folder, lines


def test_every_cell_is_a_finished_run_folder(unbroken: tuple[Path, list[str]]) -> None:
    folder, _ = unbroken
    listed = json.loads((folder / "cells.json").read_text())
    assert len(listed["cells"]) == CELLS
    for cell in listed["cells"]:
        record = json.loads((folder / cell["folder"] / "run.json").read_text())
        assert {"train", "evaluate"} <= set(record["stages"])
        assert record["seed"] == cell["seed"]


def test_each_job_is_told_with_how_far_the_study_is(unbroken: tuple[Path, list[str]]) -> None:
    _, lines = unbroken
    assert sum("-s0: accuracy" in line for line in lines) == CELLS / 2
    assert f"[{CELLS - 1} of {CELLS} cells, 0 running, 0 failed, about " in lines[-3]
    assert lines[-1].endswith(f"[{CELLS} of {CELLS} cells, 0 running, 0 failed]")


def test_nothing_is_done_twice(unbroken: tuple[Path, list[str]], pages: Path) -> None:
    folder, _ = unbroken
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/run.json")}
    failed, lines = run_here(study(pages), folder)
    assert not failed
    assert len(lines) == 1
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/run.json")}


def test_a_new_seed_adds_its_cells_alone(unbroken: tuple[Path, list[str]], pages: Path, tmp_path: Path) -> None:
    folder, _ = unbroken
    found = plan(study(pages, seeds=[0, 1, 2]), folder)
    missing = [job for job in found.jobs if not job.is_done()]
    assert {job.kind for job in missing} == {"cell"}
    assert all(job.name.endswith("-s2") for job in missing)
    assert len(missing) == CELLS / 2


def test_students_with_cached_and_live_teachers_are_the_same_bit_for_bit(
    unbroken: tuple[Path, list[str]], pages: Path, tmp_path: Path
) -> None:
    failed, _ = run_here(study(pages, cache=False, seeds=[0]), tmp_path)
    assert not failed
    live = answers(tmp_path)
    assert len(live) == 1 + CELLS / 2
    assert live.items() <= answers(unbroken[0]).items()


def test_processes_beside_each_other_come_to_the_same(
    unbroken: tuple[Path, list[str]], pages: Path, tmp_path: Path
) -> None:
    axes = tiny.study_of(pages)["axes"]
    half = {"student": {"a": axes["student"]["a"]}, "method": axes["method"]}
    with Processes(tmp_path, 2) as pool:
        assert not run_study(study(pages, seeds=[0], axes=half), tmp_path, pool, lambda line: None)
    assert answers(tmp_path).items() <= answers(unbroken[0]).items()


@pytest.fixture
def killed(pages: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of a study whose process was killed in the middle of a cell."""
    file, folder = tiny.write_study(tmp_path, pages), tmp_path / "killed"
    command = [sys.executable, "-m", "distildoc", "study", "run", str(file), "-o", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(folder.glob("runs/*-s0-*/run.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    while not list(folder.glob("runs/*/checkpoints/last.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    yield folder


def test_a_study_that_was_killed_goes_on_and_comes_to_the_same(
    killed: Path, unbroken: tuple[Path, list[str]], pages: Path
) -> None:
    done = answers(killed)
    assert 2 <= len(done) <= CELLS
    failed, _ = run_here(study(pages), killed)
    assert not failed
    assert answers(killed) == answers(unbroken[0])
    assert (killed / "cells.json").read_bytes() == (unbroken[0] / "cells.json").read_bytes()
    tables = [places_csv(found, places_of(found, resamples=50)) for found in map(read_results, (killed, unbroken[0]))]
    assert tables[0] == tables[1]


def test_a_place_that_was_renamed_is_not_run_again(unbroken: tuple[Path, list[str]], pages: Path) -> None:
    axes = tiny.study_of(pages)["axes"]
    renamed = {"method": {"soft": axes["method"]["kd"]}, "student": {"small": axes["student"]["a"]}}
    found = plan(study(pages, axes=renamed), unbroken[0])
    assert {cell.at["method"] for cell in found.cells} == {"soft", "supervised"}
    assert all(job.is_done() for job in found.jobs)


def test_a_failed_cell_is_reported_and_stops_no_other(pages: Path, tmp_path: Path) -> None:
    axes = {
        "method": {
            "kd": {"teacher": {"runs": ["@teacher"]}, "terms": [{"method": "kd"}]},
            "bad": {"teacher": {"runs": ["@teacher"]}, "terms": [{"method": "fitnet", "student_tap": "no.such.place"}]},
        }
    }
    model = {"model": {"name": "cnn-micro", "widths": [4, 8], "depths": [1, 1], "embedding": 4}}
    run = tiny.study_of(pages)["run"] | model
    failed, lines = run_here(study(pages, axes=axes, run=run, seeds=[0], cache=False), tmp_path)
    assert list(failed) == ["bad-s0"]
    assert "no.such.place" in failed["bad-s0"]
    assert lines[-1].endswith("[2 of 3 cells, 0 running, 1 failed]")
    written = [json.loads(path.read_text()) for path in tmp_path.glob("failures/*.json")]
    assert [one["name"] for one in written] == ["bad-s0"]
    failed, _ = run_here(study(pages, axes={"method": {"kd": axes["method"]["kd"]}}, run=run, seeds=[0]), tmp_path)
    assert not failed


def test_cells_of_a_teacher_that_failed_are_not_begun(pages: Path, tmp_path: Path) -> None:
    before = {"teacher": {"data": {"train": {"path": str(pages / "nowhere")}}, "model": {"name": "cnn-micro"}}}
    failed, _ = run_here(study(pages, before=before, seeds=[0]), tmp_path)
    assert "nowhere" in failed.pop("teacher")
    assert len(failed) == 3  # the cache and two students; the baselines need no teacher
    assert set(failed.values()) == {"not begun, because what it builds on failed"}


def test_two_commands_on_one_study_do_not_meet(pages: Path, tmp_path: Path) -> None:
    class Meeting(Here):
        def submit(self, key: str) -> Any:
            with pytest.raises(InputError, match="another process runs this study"):
                run_here(study(pages), tmp_path)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study(pages), tmp_path, Meeting(tmp_path, SILENT), lambda line: None)


def test_a_search_tries_settings_on_validation_pages_and_runs_the_best(pages: Path, tmp_path: Path) -> None:
    space = {"terms.0.temperature": {"low": 1.0, "high": 16.0, "log": True}, "train.lr": {"choices": [0.001, 0.02]}}
    axes = {
        "student": {"a": tiny.study_of(pages)["axes"]["student"]["a"]},
        "method": tiny.study_of(pages)["axes"]["method"],
    }
    wanted = study(pages, axes=axes, seeds=[0], search={"space": space, "trials": 3})
    failed, _ = run_here(wanted, tmp_path)
    assert not failed
    results = [json.loads(path.read_text()) for path in tmp_path.glob("searches/*.json")]
    results.sort(key=lambda one: one["name"])
    assert [len(one["trials"]) for one in results] == [3, 3]
    for one in results:
        assert one["score"] == max(trial["score"] for trial in one["trials"])
    assert set(results[0]["best"]) == set(space)
    assert set(results[1]["best"]) == {"train.lr"}
    cells = json.loads((tmp_path / "cells.json").read_text())["cells"]
    assert len(cells) == 2
    tested = {path.parts[-3] for path in tmp_path.glob("runs/*/evaluation/report.json")}
    assert tested == {Path(cell["folder"]).name for cell in cells} | {
        path.name for path in tmp_path.glob("runs/teacher*")
    }
    again, said = run_here(wanted, tmp_path)
    assert not again
    assert len(said) == 1


def test_trials_read_the_cache_that_was_filled_for_their_search(
    pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    train = stages.train

    def watched(config: RunConfig, out: Path, *rest: Any) -> str:
        asked.extend([config.teacher.cache] if config.teacher is not None else [])
        return train(config, out, *rest)

    monkeypatch.setattr(stages, "train", watched)
    space = {"terms.0.temperature": {"low": 1.0, "high": 16.0}}
    wanted = study(pages, seeds=[0], search={"space": space, "trials": 2})  # two students, so two searches, one cache
    failed, _ = run_here(wanted, tmp_path)
    assert not failed
    assert len(asked) >= 4
    assert all(cache is not None and Path(cache).is_dir() for cache in asked)


def test_a_job_is_known_by_its_key_alone(unbroken: tuple[Path, list[str]]) -> None:
    folder, _ = unbroken
    with pytest.raises(InputError, match=r"no job 'abc'; cells\.json lists"):
        perform(folder, "abc")


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no study there \(no study\.yaml\)"):
        perform(tmp_path, "abc")


def test_times_are_in_words() -> None:
    assert [in_words(s) for s in (8.2, 300, 7300)] == ["8 s", "5 min", "2 h 2 min"]


def test_exams_that_are_added_later_are_done_alone(pages: Path, tmp_path: Path) -> None:
    axes = tiny.study_of(pages)["axes"]
    half = {"student": {"a": axes["student"]["a"]}, "method": axes["method"]}
    run = tiny.study_of(pages)["run"]
    failed, _ = run_here(study(pages, axes=half, seeds=[0]), tmp_path)
    assert not failed
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/model/model.safetensors")}
    exams = {
        "shifted": {"again": {"kind": "folder", "path": str(pages / "test")}},
        "corruptions": {"kinds": ["blur"], "severities": [1]},
        "agreement": {"taps": ["late"]},
    }
    wanted = study(pages, axes=half, seeds=[0], run=run | {"exams": exams})
    failed, _ = run_here(wanted, tmp_path)
    assert not failed
    assert trained == {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/model/model.safetensors")}
    assert len(trained) == 3
    assert len(list(tmp_path.glob("runs/*/exams/shifted/again/report.json"))) == 3
    assert len(list(tmp_path.glob("runs/*/exams/corruptions.json"))) == 3
    assert len(list(tmp_path.glob("runs/*/exams/agreement.json"))) == 1  # the others have no teacher
    assert list((tmp_path / "caches" / "damaged").iterdir())
    assert all(job.is_done() for job in plan(wanted, tmp_path).jobs)
    nowhere = {**exams, "shifted": {"again": {"kind": "folder", "path": str(pages / "nowhere")}}}
    wrong = study(pages, axes=half, seeds=[0], run=run | {"exams": nowhere})
    for _ in range(2):  # what failed is not taken for done the second time
        failed, _ = run_here(wrong, tmp_path)
        assert "nowhere" in failed["teacher"]
        assert any("nowhere" in cause for name, cause in failed.items() if name.startswith("a-supervised"))
    failed, _ = run_here(wanted, tmp_path)
    assert not failed
    assert not list(tmp_path.glob("failures/*.json"))
