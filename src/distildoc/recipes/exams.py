"""The exams a run names: shifted pages, damaged pages, agreement, attacks, retrieval. What is there already stays.

Every result carries a hash of the student, of the settings and of the pages; one with another hash is made anew.
"""

import csv
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from distildoc.core.model import Model
from distildoc.data.corruptions import KINDS, VERSION
from distildoc.data.corruptions.kept import CLEAN, DamagedPages
from distildoc.data.pageset import PageSet, some
from distildoc.evaluate.corruption import robustness
from distildoc.evaluate.write import FAILED, REPORT
from distildoc.models.load import fingerprint
from distildoc.recipes.agreement import RESULT, agreement_exam
from distildoc.recipes.attacks import RESULT as ATTACKS
from distildoc.recipes.attacks import attacks_exam
from distildoc.recipes.config import ExamsConfig, RunConfig
from distildoc.recipes.exam import Exam, exam_hash, is_done
from distildoc.recipes.exams_config import AttacksConfig, CorruptionsConfig
from distildoc.recipes.finished import student_of_run
from distildoc.recipes.folder import RunFolder, write_text
from distildoc.recipes.pages import shifted_pages, test_pages
from distildoc.recipes.retrieval import RESULT as RETRIEVAL
from distildoc.recipes.retrieval import retrieval_exam
from distildoc.recipes.screen import SILENT, Screen, counted
from distildoc.recipes.sizes import preprocess_of
from distildoc.recipes.tasks import TASKS, Learnt
from distildoc.schema.json_files import read_json
from distildoc.schema.report import read_report

FORMAT = 1
FOLDER = "exams"
CORRUPTIONS = "corruptions.json"
ENDED = "ended.json"  # settings of the exams that came to an end
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class _Student:
    """A finished student, and the run it is from."""

    folder: RunFolder
    config: RunConfig
    model: Model
    learnt: Learnt
    fingerprint: str

    @property
    def exams(self) -> Path:
        return self.folder.path / FOLDER


@dataclass(frozen=True)
class _Kind(Generic[Settings]):
    """One kind of exam.

    asked    its settings, which are empty or None where it is not asked for.
    lines    do it where it is not done yet, a line a result.
    results  its files in the folder of exams.
    """

    asked: Callable[[ExamsConfig], Settings | None]
    lines: Callable[[_Student, Settings, Screen], list[str]]
    results: Callable[[RunConfig, Settings], list[str]]

    def sit(self, student: _Student, wanted: ExamsConfig, screen: Screen) -> list[str]:
        settings = self.asked(wanted)
        return self.lines(student, settings, screen) if settings else []

    def files(self, config: RunConfig, wanted: ExamsConfig) -> list[str]:
        settings = self.asked(wanted)
        return self.results(config, settings) if settings else []


_KINDS = (
    _Kind(
        lambda wanted: wanted.shifted,
        lambda student, _, screen: _shifted(student, screen),
        lambda _, settings: [f"shifted/{name}/{REPORT}" for name in settings],
    ),
    _Kind(
        lambda wanted: wanted.corruptions,
        lambda student, settings, screen: [_corruptions(student, settings, screen)],
        lambda *_: [CORRUPTIONS],
    ),
    _Kind(
        lambda wanted: wanted.agreement,
        lambda student, settings, screen: [agreement_exam(student.folder, settings, screen)],
        lambda config, _: [Path(RESULT).name] if config.teacher is not None else [],
    ),
    _Kind(
        lambda wanted: wanted.attacks,
        lambda student, settings, screen: [_attacks(student, settings, screen)],
        lambda *_: [Path(ATTACKS).name],
    ),
    _Kind(
        lambda wanted: wanted.retrieval,
        lambda student, settings, screen: [retrieval_exam(student.folder, settings, screen)],
        lambda *_: [Path(RETRIEVAL).name],
    ),
)


def exams(run: Path, screen: Screen = SILENT) -> list[str]:
    """Do the exams of a finished run that are not done; a line each. None where the run names none."""
    folder = RunFolder(run)
    config = folder.config()
    if config.exams is None:
        return []
    model, learnt = student_of_run(folder)
    student = _Student(folder, config, model, learnt, fingerprint(model))
    lines = [line for kind in _KINDS for line in kind.sit(student, config.exams, screen)]
    if not exams_are_done(folder, config):
        write_text(student.exams / ENDED, json.dumps(config.exams.model_dump(mode="json"), indent=1) + "\n")
    return lines


def exams_are_done(folder: RunFolder, config: RunConfig) -> bool:
    """Whether the last exams of a finished run that came to an end were these, and their results are there."""
    wanted = config.exams
    if wanted is None:
        return True
    files = [file for kind in _KINDS for file in kind.files(config, wanted)]
    if not all((folder.path / FOLDER / file).is_file() for file in (ENDED, *files)):
        return False
    return read_json(folder.path / FOLDER / ENDED) == wanted.model_dump(mode="json")


def _shifted(student: _Student, screen: Screen) -> list[str]:
    pages = shifted_pages(student.config, student.model.labels)
    return [_evaluated(student, name, some, screen) for name, some in pages.items()]


def _evaluated(student: _Student, name: str, pages: PageSet, screen: Screen) -> str:
    """An ordinary evaluation on other pages."""
    out = student.exams / "shifted" / name
    identity = exam_hash(student.fingerprint, name, pages)
    if (out / REPORT).is_file() and read_report(out / REPORT).source.get("hash") == identity:
        return f"{out}: already done"
    source = {**student.folder.source(), "model": student.fingerprint, "exam": name, "hash": identity}
    with screen.bar(name) as advance:
        exam = Exam(counted(pages.pages, advance), out, source, student.config.data.skip_bad)
        line = TASKS[student.config.task].evaluate(student.config, student.model, student.learnt, exam=exam)
    return f"{out}: {line}"


def _corruptions(student: _Student, settings: CorruptionsConfig, screen: Screen) -> str:
    """Scores of every kind and severity on the same pages."""
    out = student.exams / CORRUPTIONS
    kinds = settings.kinds or tuple(KINDS)
    pages = _readable(test_pages(student.config.data, student.model.labels), student.folder)
    if settings.pages is not None:
        pages = some(pages, settings.pages, seed=settings.seed)
    identity = exam_hash(student.fingerprint, (VERSION, kinds, settings.severities, settings.seed), pages)
    if is_done(out, identity):
        return f"{out}: already done"
    wanted = [(kind, severity) for kind in kinds for severity in settings.severities]
    with _folder_for(settings.cache) as cache:
        damaged = DamagedPages(pages, preprocess_of(student.config), cache, settings.seed)
        with screen.bar("damaged pages") as advance:
            home = damaged.make(wanted, advance)
        score = TASKS[student.config.task].scores
        with screen.bar("corruptions") as advance:
            clean, *rest = (
                score(student.config, student.model, student.learnt, pages=damaged.under(setting, home))
                for setting in counted([CLEAN, *wanted], advance)
            )
    found = robustness(clean, dict(zip(wanted, rest, strict=True)))
    content = {"format": FORMAT, "hash": identity, "pages": len(pages), **asdict(found)}
    write_text(out, json.dumps(content, indent=1, allow_nan=False) + "\n")
    told = ", ".join(f"{name} {clean[name]:.4f} clean and {found.mean[name]:.4f} damaged" for name in clean)
    return f"{out}: {told}, {len(wanted)} settings of {len(pages)} pages"


def _attacks(student: _Student, settings: AttacksConfig, screen: Screen) -> str:
    pages = _readable(test_pages(student.config.data, student.model.labels), student.folder)
    return attacks_exam(student.folder, settings, pages, screen)


@contextmanager
def _folder_for(cache: str | None) -> Iterator[Path]:
    """The folder of a cache, or one that goes afterwards."""
    if cache is not None:
        yield Path(cache)
        return
    with tempfile.TemporaryDirectory(prefix="distildoc-") as folder:
        yield Path(folder)


def _readable(pages: PageSet, folder: RunFolder) -> PageSet:
    """The test pages without those that the evaluation has found unreadable."""
    path = folder.evaluation / FAILED
    if not path.is_file():
        return pages
    with path.open(newline="", encoding="utf-8") as file:
        bad = {row["page"] for row in csv.DictReader(file)}
    return replace(pages, pages=tuple(page for page in pages.pages if page.id not in bad))
