"""The exam of agreement: a run's student beside its teacher, on some of the test pages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from distildoc.core.model import Model
from distildoc.core.teacher import Teacher
from distildoc.data.pageset import some
from distildoc.evaluate.agreement import Calibrated, Side, SideBySide, shared_taps, side_by_side
from distildoc.metrics.agreement import agreement
from distildoc.models.grids import grid_of
from distildoc.models.load import fingerprint
from distildoc.recipes.config import RunConfig, TeacherConfig
from distildoc.recipes.exam import exam_hash, is_done
from distildoc.recipes.exams_config import AgreementConfig
from distildoc.recipes.finished import student_of_run
from distildoc.recipes.folder import RunFolder, write_text
from distildoc.recipes.pages import test_pages
from distildoc.recipes.screen import Screen, counted
from distildoc.recipes.sizes import input_of, size_of
from distildoc.recipes.teachers import label_map_of, teacher_models
from distildoc.schema.report import Score
from distildoc.schema.texts import noun_of
from distildoc.teach.aligned import Aligned
from distildoc.teach.ensemble import Ensemble
from distildoc.teach.live import Live

FORMAT = 1
RESULT = "exams/agreement.json"
SEED = 0  # of the choice of pages
SHOWN = ("fidelity", "kappa")


@dataclass(frozen=True)
class _Two:
    """Student and teacher as they are compared: models, the temperature of each, and whether classes are."""

    student: Model
    teachers: Sequence[Model]
    temperatures: tuple[float, ...]  # the student's, then the teachers'
    classes: bool

    @property
    def fingerprint(self) -> str:
        return " ".join(fingerprint(model) for model in (self.student, *self.teachers))


def agreement_exam(folder: RunFolder, settings: AgreementConfig, screen: Screen) -> str:
    """Write exams/agreement.json into the run's folder where it is not there yet; a line of what was found.

    Classifiers are compared by what they say, each after its own temperature, and one teacher also by its features:
    debiased linear CKA of every tap of the student with every tap of the teacher. Several teachers, experts too, speak
    with the mean of their probabilities. Where a teacher has other classes than the student, and for detectors, the
    features are compared alone; readers of texts have vectors compared, not tokens. A score without a value is left
    out, and a CKA without one is null. Raises InputError for a run that is not finished, or a teacher that is gone.
    """
    config = folder.config()
    if config.teacher is None:
        return f"{folder.path}: no teacher, nothing to agree with"
    two = _loaded(folder, config, config.teacher)
    single = len(two.teachers) == 1
    taps = shared_taps(two.student, two.teachers[0], settings.taps) if single else ((), ())
    if not two.classes and not all(taps):
        return f"{folder.path}: neither classes nor features in common with the teacher, nothing to compare"
    out = folder.path / RESULT
    pages = some(test_pages(config.data, two.student.labels), settings.pages, seed=SEED)
    hash = exam_hash(two.fingerprint, (FORMAT, two.temperatures, taps, two.classes), pages)
    if is_done(out, hash):
        return f"{out}: already done"
    with screen.bar("agreement") as advance:
        watched = counted(pages.pages, advance)
        sides = _sides(two, config, config.teacher, taps=taps)
        found = side_by_side(*sides, watched, preprocess=input_of(config))
    scores = agreement(*(table.outcomes for table in found.tables)) if found.tables is not None else {}
    content = {"format": FORMAT, "hash": hash, "teacher": _named(config.teacher), **_content(found, scores)}
    write_text(out, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return f"{out}: {_line(found, scores, settings.taps if single else (), noun_of(input_of(config)))}"


def _loaded(folder: RunFolder, config: RunConfig, teacher: TeacherConfig) -> _Two:
    student, learnt = student_of_run(folder)
    models = teacher_models(teacher)
    stages = [learnt, *(RunFolder(Path(run)).stage("train") or {} for run in teacher.runs)]
    temperatures = tuple(float(str(stage.get("temperature", 1.0))) for stage in stages)
    return _Two(
        student, models, temperatures, config.task == "classification" and _same_classes(teacher, models, student)
    )


def _same_classes(config: TeacherConfig, models: Sequence[Model], student: Model) -> bool:
    """Whether the teacher's classes become the student's; a run that compares features alone need not care."""
    mapped = [set(map(label_map_of(config, model.labels), model.labels)) - {None} for model in models]
    return all(names == set(student.labels) for names in mapped)


def _sides(
    two: _Two, config: RunConfig, teacher: TeacherConfig, *, taps: tuple[tuple[str, ...], tuple[str, ...]]
) -> tuple[Side, Side]:
    own, *others = two.temperatures
    student = Calibrated(Live(two.student, taps=taps[0], outputs=two.classes), own)
    members: list[Teacher] = [
        Calibrated(Live(model, taps=taps[1], outputs=two.classes), temperature)
        for model, temperature in zip(two.teachers, others, strict=True)
    ]
    if two.classes:
        labels = two.student.labels
        members = [Aligned(member, labels, label_map_of(teacher, member.labels)) for member in members]
    answers = members[0] if len(members) == 1 else Ensemble(members)
    size = size_of(config)
    return Side(student, grid_of(two.student, size)), Side(answers, grid_of(two.teachers[0], size))


def _named(config: TeacherConfig) -> str:
    """The names of the teacher's runs."""
    return " + ".join(str(RunFolder(Path(run)).read().get("name", Path(run).name)) for run in config.runs)


def _content(found: SideBySide, scores: Mapping[str, Score]) -> dict[str, object]:
    content: dict[str, object] = {"pages": found.pages, "failed": len(found.failed)}
    content |= {name: asdict(score) for name, score in scores.items()}
    if found.cka.size:
        values = [[value if np.isfinite(value) else None for value in row] for row in found.cka.tolist()]
        student, teacher = found.taps
        content["cka"] = {"student": student, "teacher": teacher, "values": values, "estimator": "debiased"}
    return content


def _line(found: SideBySide, scores: Mapping[str, Score], asked: Sequence[str], noun: str) -> str:
    told = [f"{name} {(s := scores[name]).value:.4f} [{s.low:.4f}, {s.high:.4f}]" for name in SHOWN if name in scores]
    if found.cka.size:
        told.append(f"CKA of {len(found.taps[0])} with {len(found.taps[1])} taps")
    for who, taps in zip(("student", "teacher"), found.taps, strict=True):
        if lacked := [tap for tap in asked if tap not in taps]:
            lacks = "has no" if noun == "pages" else "has no vector at"
            told.append(f"the {who} {lacks} {' or '.join(lacked)}")
    unreadable = f", {len(found.failed)} unreadable" if found.failed else ""
    return f"{', '.join(told)}, on {found.pages} {noun}{unreadable}"
