"""Perform: one job of a study, by whichever process is told to."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from distildoc.recipes import stages
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exams import exams
from distildoc.recipes.files import config_hash, dump
from distildoc.recipes.folder import RunFolder, write_text
from distildoc.recipes.screen import SILENT, Screen
from distildoc.study.caches import cache_key, with_cache, write_shared
from distildoc.study.grid import Grid, Place, Planned
from distildoc.study.jobs import Job, plan
from distildoc.study.listing import failure_path, read_planned
from distildoc.study.search import search


def perform(folder: Path, key: str, screen: Screen = SILENT) -> str:
    """Do the job of that key of the study in a folder; says in a line what came out.

    A job that another process is at is waited for, and one that is done is not done again. Raises InputError for a
    folder without a study, or a key that it does not have.
    """
    found = plan(read_planned(folder), folder)
    job = found.job(key)
    lock = folder / "locks" / f"{key}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        line = f"{job.path}: is there already" if job.is_done() else _done(job, found.grid, screen)
    failure_path(folder, key).unlink(missing_ok=True)
    return line


def _done(job: Job, grid: Grid, screen: Screen) -> str:
    if job.kind == "cache":
        return write_shared(job.runs, job.path, screen)
    if job.place is not None:
        return search(grid, job.place, _scorer(job, job.place, grid, screen), screen.say)
    return _run(job.runs[0], job.path, export=job.export, screen=screen)


def _run(config: RunConfig, out: Path, *, export: bool, screen: Screen) -> str:
    """All stages and exams that are missing; the scores on the test pages in a line."""
    folder = RunFolder(out)
    line = _trained(config, folder, screen)
    write_text(out / "config.yaml", dump(config))
    if config.data.test is not None:
        line = stages.evaluate(out, screen=screen) if folder.stage("evaluate") is None else _lines(exams(out, screen))
    if export and folder.stage("export") is None:
        screen.say(stages.export(out))
    if export and folder.stage("verify") is None:
        screen.say(stages.verify(out, screen))
    return line.partition("\n")[0].removeprefix(f"{out}: ")


def _lines(lines: Sequence[str]) -> str:
    return "; ".join(line.partition(": ")[2] for line in lines)


def _scorer(job: Job, place: Place, grid: Grid, screen: Screen) -> Callable[[Planned], float]:
    """Trains a run of a search and gives its score on the validation pages."""
    asked = grid.planned(place, grid.study.seeds[0])
    teacher = job.runs[0].teacher
    filled = None if teacher is None or teacher.cache is None or place.searches_features else Path(teacher.cache)

    def score(run: Planned) -> float:
        same = cache_key(run.config, run.after) == cache_key(asked.config, asked.after)
        config = with_cache(run.config, filled if same else None)
        folder = RunFolder(run.folder(grid.folder))
        with FileLock(grid.folder / "locks" / f"{run.key}.lock"):
            _trained(config, folder, screen)
        record = folder.require("train", "run the study again")
        return next(float(value) for name, value in record.items() if name.startswith("validation_"))

    return score


def _trained(config: RunConfig, folder: RunFolder, screen: Screen) -> str:
    """Train what has not been trained.

    A folder is named by what determines its run. Where the stored run file differs, it does so in paths alone: what is
    finished stays, and what was under way begins anew.
    """
    if (folder.path / "config.yaml").is_file() and config_hash(folder.config()) != config_hash(config):
        if folder.stage("train") is not None:
            return f"{folder.path}: trained before"
        shutil.rmtree(folder.path)
    return stages.train(config, folder.path, screen)
