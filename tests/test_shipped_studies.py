"""Study files that users copy from must hold: each can be planned, and each axis of the paper has one."""

from pathlib import Path

import pytest

from distildoc.study.config import read_study
from distildoc.study.jobs import plan

FOLDER = Path(__file__).resolve().parents[1] / "studies"
STUDIES = sorted(path for path in FOLDER.rglob("*.yaml") if path.parent.name != "systems")
SYSTEMS = sorted((FOLDER / "systems").glob("*.yaml"))
PILOTS = {"explainer_pilot"}  # choose a setting on validation pages, and no claim rests on them
AXES = {
    "methods": {"method", "student"},
    "capacity_gap": {"teacher", "student"},
    "initialisation": {"initialisation", "method"},
    "teacher_pretraining": {"teacher", "method"},
    "temperature_alpha": {"temperature", "alpha"},
    "simkd_projector": {"method"},
    "hint_depth": {"depth"},
    "student_data": {"pages", "method"},
    "search_kd": {"method"},
}


def test_every_axis_of_the_paper_has_a_study() -> None:
    assert {path.stem for path in STUDIES if path.parent.name == "studies"} == set(AXES)
    assert {path.stem for path in STUDIES if path.parent.name == "paper"} == {"methods", "teacher_pretraining"}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_shipped_study_names_only_what_exists(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILDOC_DATA", "/pages")
    study = read_study(path)
    found = plan(study, tmp_path)
    assert AXES[path.stem] <= set(study.axes)
    assert len(study.seeds) >= 3
    assert found.jobs
    assert any(cell.at[study.down] == "supervised" for cell in found.cells) or study.search is not None


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_the_study_of_a_system_can_be_planned(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILDOC_DATA", "/pages")
    study = read_study(path)
    assert len(study.seeds) >= 3 or path.stem in PILOTS
    assert plan(study, tmp_path).jobs


def test_all_studies_have_the_large_teacher_of_the_first_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILDOC_DATA", "/pages")
    first, *others = (
        {run.name: run.config.model for run in plan(read_study(path), tmp_path).before}
        for path in sorted(STUDIES, key=lambda path: path.stem != "methods")
        if path.parent.name == "studies"
    )
    assert len(others) == len(AXES) - 1
    for models in others:
        large = {name: model for name, model in models.items() if name in ("teacher", "pretrain", "teacher-labels")}
        assert large
        assert all(model == first["teacher-rvl5"] for model in large.values())
