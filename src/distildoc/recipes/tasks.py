"""What differs between the tasks of a run: one module a task, all with these functions."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from distildoc.core.model import Model
from distildoc.core.task import Task
from distildoc.data.augment import Augmentation
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet
from distildoc.data.targets import Targets
from distildoc.recipes import classification, detection
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exam import Exam
from distildoc.recipes.folder import RunFolder
from distildoc.schema.bundle import Bundle, read_bundle
from distildoc.schema.errors import InputError, closest
from distildoc.schema.pages import Page

Learnt = Mapping[str, Any]  # what the stage `train` wrote into run.json


class TaskRecipe(Protocol):
    """The parts of a run that know what is predicted.

    initial    the student with its initial weights.
    targets    what the training pages should give.
    score      the primary score of a student on validation pages, 0..1, higher is better.
    learnt     what the validation pages tell about a finished student, for run.json: `validation_SCORE`, and how to
               read its outputs (a temperature, thresholds).
    labelled   pages for `evaluate --pages`, from a path that the user named; `columns` are settings of the reader of
               tables.
    evaluate   score a finished student; the main scores in a line.
    scores     a few scores of a finished student, without intervals or files, for many sets of pages.
    evaluate_bundle  `evaluate` of a bundle in a folder.
    export     write the bundle into the run's folder.
    verify     compare the bundle with its student on pages; what was found, for run.json, and in a line.
    """

    def initial(self, config: RunConfig, labels: tuple[str, ...]) -> Model: ...

    def task(self, config: RunConfig, labels: tuple[str, ...]) -> Task: ...

    def targets(self, config: RunConfig, pages: PageSet, augmentation: Augmentation | None) -> Targets: ...

    def score(self, student: Model, loader: Loader) -> float: ...

    def learnt(self, config: RunConfig, student: Model, loader: Loader) -> dict[str, object]: ...

    def labelled(self, path: Path, columns: Mapping[str, Any]) -> PageSet: ...

    def evaluate(self, config: RunConfig, student: Model, learnt: Learnt, *, exam: Exam) -> str: ...

    def scores(
        self, config: RunConfig, student: Model, learnt: Learnt, *, pages: Iterable[Page]
    ) -> dict[str, float]: ...

    def evaluate_bundle(self, bundle: Path, exam: Exam) -> str: ...

    def export(self, student: Model, learnt: Learnt, *, config: RunConfig, folder: RunFolder) -> Bundle: ...

    def verify(
        self, config: RunConfig, student: Model, *, folder: RunFolder, pages: Iterable[Page]
    ) -> tuple[dict[str, object], str]: ...


TASKS: Mapping[str, TaskRecipe] = {"classification": classification, "detection": detection}


def task_of_bundle(folder: Path) -> str:
    """The task of a bundle; raises InputError for a folder without one, or for a task that is not ours."""
    task = read_bundle(folder).task
    if task not in TASKS:
        raise InputError(f"{folder}: a bundle for the task '{task}'; {closest(task, TASKS)}")
    return task
