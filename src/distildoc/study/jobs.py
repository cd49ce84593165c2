"""The jobs of a study: each is done by one process from beginning to end, and known to be done by what it wrote."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from distildoc.recipes.config import RunConfig
from distildoc.recipes.exams import exams_are_done
from distildoc.recipes.folder import RunFolder
from distildoc.schema.errors import InputError
from distildoc.study.caches import cache_key, of_terms, with_cache, with_damaged
from distildoc.study.config import StudyConfig
from distildoc.study.grid import Grid, Place, Planned
from distildoc.study.search import found_at, search_key, search_path

Kind = Literal["before", "cache", "search", "cell"]


@dataclass(frozen=True)
class Job:
    """path    folder or file that it writes.
    after   keys of the jobs that come first.
    runs    what it runs; of a cache, the runs that share it; of a search, the run as it stands.
    export  whether a bundle of the run is wanted.
    place   what is searched.
    """

    kind: Kind
    name: str
    key: str
    path: Path
    runs: tuple[RunConfig, ...]
    after: tuple[str, ...] = ()
    export: bool = False
    place: Place | None = None

    def is_done(self) -> bool:
        if self.kind in ("cache", "search"):
            return self.path.exists()
        return _run_is_done(self.runs[0], RunFolder(self.path), export=self.export)


@dataclass(frozen=True)
class Cell:
    """A run at a place of the grid, and the key of the one that it is compared with."""

    at: Mapping[str, str]
    seed: int
    run: Planned
    baseline: str | None


@dataclass(frozen=True)
class Plan:
    """What a study comes to, as far as its searches have ended; `jobs` leaves out what waits for one."""

    grid: Grid
    before: tuple[Planned, ...]
    cells: tuple[Cell, ...]
    jobs: tuple[Job, ...]

    @property
    def study(self) -> StudyConfig:
        return self.grid.study

    def job(self, key: str) -> Job:
        """Raises InputError for a key that is none of them."""
        for job in self.jobs:
            if job.key == key:
                return job
        raise InputError(f"study '{self.study.name}' has no job '{key}'; cells.json lists the keys of its cells")


def plan(study: StudyConfig, folder: Path) -> Plan:
    """The runs of a study in a folder, and the jobs that they take; raises ConfigError where it cannot be done."""
    grid = Grid(study, folder)
    cells = _cells(grid)
    searches = [_search(grid, place) for place in grid.places if place.space]
    firsts = {cell.run.key for cell in cells if cell.seed == study.seeds[0]}
    exported = {"none": set(), "first": firsts, "all": {cell.run.key for cell in cells}}[study.export]
    before = _needed(
        grid, [*(cell.run for cell in cells), *(grid.planned(place, study.seeds[0]) for place in grid.places)]
    )
    runs = {run.key: _run("before", run, folder, False) for run in before}
    for cell in cells:
        runs.setdefault(cell.run.key, _run("cell", cell.run, folder, cell.run.key in exported))
    jobs = (*runs.values(), *{job.key: job for job in searches}.values())
    return Plan(grid, before, tuple(cells), _with_caches(jobs, folder, study.cache, _found(grid)))


def _cells(grid: Grid) -> list[Cell]:
    """The runs that are known, the first seed of all places first."""
    cells = []
    for seed in grid.study.seeds:
        known = {id(place): run for place in grid.places if (run := _known(grid, place, seed)) is not None}
        for place in grid.places:
            run, base = known.get(id(place)), known.get(id(place.baseline))
            if run is not None:
                cells.append(Cell(place.at, seed, run, None if base is None else base.key))
    unique = {(tuple(cell.at.items()), cell.seed): cell for cell in cells}
    return list(unique.values())


def _needed(grid: Grid, runs: list[Planned]) -> tuple[Planned, ...]:
    """The runs of `before` that others build on, directly or through one another."""
    wanted = {key for run in runs for key in run.after}
    for run in reversed(grid.before.values()):  # each stands after those that it builds on
        if run.key in wanted:
            wanted |= set(run.after)
    return tuple(run for run in grid.before.values() if run.key in wanted)


def _known(grid: Grid, place: Place, seed: int) -> Planned | None:
    """The run at a place, unless a search has not yet found its settings."""
    if not place.space:
        return grid.planned(place, seed)
    found = found_at(search_path(grid, place))
    return None if found is None else grid.planned(place, seed, found)


def _found(grid: Grid) -> set[str]:
    """Keys of the runs that compare what the run of their search compares, with settings that it found."""
    places = [place for place in grid.places if place.space and not place.searches_features]
    runs = [_known(grid, place, seed) for place in places for seed in grid.study.seeds]
    return {run.key for run in runs if run is not None}


def _run(kind: Kind, run: Planned, folder: Path, export: bool) -> Job:
    return Job(kind, run.name, run.key, run.folder(folder), (run.config,), run.after, export)


def _search(grid: Grid, place: Place) -> Job:
    run = grid.planned(place, grid.study.seeds[0])
    grid.planned(place, grid.study.seeds[0], {name: values.first for name, values in place.space.items()})
    path = search_path(grid, place)
    return Job("search", f"search {place.name}", search_key(grid, place), path, (run.config,), run.after, place=place)


def _with_caches(jobs: tuple[Job, ...], folder: Path, wanted: bool, found: set[str]) -> tuple[Job, ...]:
    """The jobs, those with a teacher reading what it said from a folder, and the jobs that fill these folders.

    A folder that nobody will read any more is not filled. One belongs to all terms that read it, so that a method that
    joins a study later finds the features it compares. It does not belong to those of `found`: where one search ends,
    the others go on reading the folder that was filled for all.
    """
    keys = {job.key: cache_key(job.runs[0], job.after) if wanted else None for job in jobs}
    terms = {
        key: [job.runs[0].terms for job in jobs if keys[job.key] == key and job.key not in found]
        for key in keys.values()
        if key is not None
    }
    full = {key: of_terms(key, some) for key, some in terms.items()}
    read = {full[key] for job in jobs if (key := keys[job.key]) is not None and _will_train(job)}
    sharing: dict[str, list[Job]] = {}
    result = []
    for job in jobs:
        asked = keys[job.key]
        key = None if asked is None else full[asked]
        path = None if key is None else folder / "caches" / key
        run = with_cache(with_damaged(job.runs[0], folder / "caches" / "damaged"), path)
        cached = replace(job, runs=(run,), after=(*job.after, key) if key is not None and key in read else job.after)
        if key is not None and key in read:
            sharing.setdefault(key, []).append(job)
        result.append(cached)
    caches = [_cache(key, some, folder) for key, some in sharing.items()]
    return (*caches, *result)


def _will_train(job: Job) -> bool:
    """Whether a run has still to be trained, or a search to be done."""
    return not job.is_done() if job.place is not None else RunFolder(job.path).stage("train") is None


def _cache(key: str, jobs: list[Job], folder: Path) -> Job:
    after = tuple(dict.fromkeys(key for job in jobs for key in job.after))
    runs = tuple(job.runs[0] for job in jobs)
    teacher: Any = runs[0].teacher
    return Job(
        "cache",
        f"cache of {', '.join(Path(run).name for run in teacher.runs)}",
        key,
        folder / "caches" / key,
        runs,
        after,
    )


def _run_is_done(config: RunConfig, folder: RunFolder, *, export: bool) -> bool:
    """Whether all that is wanted of a run is there."""
    wanted = ["train"]
    if config.data.test is not None:
        wanted.append("evaluate")
    if export:
        wanted += ["export", "verify"]
    return all(folder.stage(name) is not None for name in wanted) and exams_are_done(folder, config)
