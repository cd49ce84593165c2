"""The stages after training: evaluate, export, verify."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distildoc.models.load import fingerprint, load_model
from distildoc.recipes.exam import Exam
from distildoc.recipes.exams import exams
from distildoc.recipes.finished import student_of_run
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import listed_pages, test_pages
from distildoc.recipes.screen import SILENT, Screen, counted
from distildoc.recipes.tasks import TASKS, task_of_bundle
from distildoc.schema.bundle import DESCRIPTION
from distildoc.schema.errors import InputError
from distildoc.schema.tables import is_table


def evaluate(run: Path, *, skip_bad: bool = False, screen: Screen = SILENT) -> str:
    """Score a run's student on its test pages, which no stage before has read, then do the exams that the run names."""
    if (run / DESCRIPTION).is_file():
        raise InputError(f"{run}: a bundle has no test pages of its own; name some with --pages, and --out")
    folder = RunFolder(run)
    config = folder.config()
    student, trained = student_of_run(folder)
    pages = test_pages(config.data, student.labels)
    source = {**folder.source(), "model": fingerprint(student)}
    with screen.bar("evaluate") as advance:
        watched = counted(pages.pages, advance)
        exam = Exam(watched, folder.evaluation, source, skip_bad or config.data.skip_bad)
        line = TASKS[config.task].evaluate(config, student, trained, exam=exam)
    report = folder.evaluation / "report.json"
    folder.finish("evaluate", {"report": str(report.relative_to(run)), "pages": pages.fingerprint})
    return "\n".join([f"{run}: {line}", *exams(run, screen)])


def evaluate_on(
    target: Path,
    pages: Path,
    *,
    out: Path | None,
    skip_bad: bool,
    columns: Mapping[str, Any] | None = None,
    screen: Screen = SILENT,
) -> str:
    """Score a run's student or a bundle on labelled pages: a folder with one folder a class, a table, or a COCO file.

    columns  settings of data.readers.table.read, for a table alone.
    """
    if out is None:
        raise InputError("say where to write the evaluation with --out")
    is_bundle = (target / DESCRIPTION).is_file()
    task = TASKS[task_of_bundle(target) if is_bundle else RunFolder(target).config().task]
    if columns and not is_table(pages):
        raise InputError(f"{pages} is no table (.tsv, .csv), and has no columns or class names to be told apart")
    labelled = task.labelled(pages, columns or {})
    with screen.bar("evaluate") as advance:
        exam = Exam(counted(labelled.pages, advance), out, {"scored": target.name}, skip_bad)
        if is_bundle:
            line = task.evaluate_bundle(target, exam)
        else:
            student, trained = student_of_run(RunFolder(target))
            line = task.evaluate(RunFolder(target).config(), student, trained, exam=exam)
    return f"{out}: {line}"


def export(run: Path) -> str:
    """Write a run's student as a bundle that runs without torch."""
    folder = RunFolder(run)
    config = folder.config()
    student, trained = student_of_run(folder)
    bundle = TASKS[config.task].export(student, trained, config=config, folder=folder)
    size = sum(path.stat().st_size for path in folder.bundle.iterdir())
    folder.finish("export", {"bundle": bundle.id, "bytes": size})
    return f"{folder.bundle}: bundle {bundle.id}, {size / 2**20:.2f} MiB"


def verify(run: Path, screen: Screen = SILENT) -> str:
    """Compare the bundle with the student on the run's validation pages; raises InputError on drift."""
    folder = RunFolder(run)
    config = folder.config()
    folder.require("export", f"run `distildoc export {run}` first")
    _, validation = listed_pages(config.data)
    with screen.bar("verify") as advance:
        watched = counted(validation.pages, advance)
        found, line = TASKS[config.task].verify(config, load_model(folder.model), folder=folder, pages=watched)
    folder.finish("verify", found)
    return f"{folder.bundle}: {line}"
