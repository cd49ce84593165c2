"""Run a study: whatever is missing of it, with a line for each job that ends."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from distildoc.recipes.folder import write_text
from distildoc.schema.errors import InputError
from distildoc.study.config import StudyConfig
from distildoc.study.jobs import Job, Plan, plan
from distildoc.study.listing import failure_path, write_plan
from distildoc.study.schedule import Ended, Pool, carry_out

Say = Callable[[str], None]


def run_study(study: StudyConfig, folder: Path, pool: Pool, say: Say) -> dict[str, str]:
    """Do what is missing of a study; causes of what failed, by name.

    Finished runs are passed over, and those that were stopped go on. What failed is tried again by the next call.
    Raises InputError where another process runs the study, ConfigError where it cannot be done; nothing is written
    then.
    """
    found = plan(study, folder)
    lock = folder / "locks" / "study.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            return _run(found, folder, pool, say)
    except Timeout:
        raise InputError(f"{folder}: another process runs this study; wait for it, or choose another folder") from None


def plan_lines(found: Plan) -> list[str]:
    """What a study comes to, for a look before it is run."""
    jobs = [job for job in found.jobs if not job.is_done()]
    cells = {cell.run.key for cell in found.cells}
    lines = [f"study    {found.study.name}: {len(cells)} cells, {len(found.before)} runs before them"]
    lines += [f"axis     {axis}: {', '.join(choices)}" for axis, choices in found.study.axes.items()]
    lines.append(f"seeds    {', '.join(map(str, found.study.seeds))}")
    kinds = {kind: sum(job.kind == kind for job in jobs) for kind in ("before", "cache", "search", "cell")}
    lines.append("missing  " + ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number))
    return lines if jobs else [*lines[:-1], "missing  nothing"]


def _run(found: Plan, folder: Path, pool: Pool, say: Say) -> dict[str, str]:
    """Plan and carry out until nothing is left: what a search finds makes new cells."""
    tally = Tally(say, pool)
    names: dict[str, str] = {}
    while True:
        write_plan(found, folder)
        names |= {job.key: job.name for job in found.jobs}
        done = {job.key for job in found.jobs if job.is_done()}
        missing = [job for job in found.jobs if job.key not in done and job.key not in tally.failed]
        tally.count(found, done)
        _forget(folder, [job.key for job in found.jobs if job.key not in tally.failed])
        if not missing:
            break
        carry_out(missing, pool, done=done, failed=tally.failed, begun=tally.begun, ended=_noting(folder, tally))
        found = plan(found.study, folder)
    say(f"{folder}: {tally.state()}")
    return {names[key]: cause for key, cause in tally.failed.items()}


@dataclass
class Tally:
    """How far a study is, said after each job."""

    say: Say
    pool: Pool
    cells: set[str] = field(default_factory=set)  # keys
    done: int = 0
    running: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def count(self, found: Plan, done: set[str]) -> None:
        """Cells of the plan, and those that are done already."""
        self.cells = {cell.run.key for cell in found.cells}
        self.done = len(self.cells & done)

    def begun(self, job: Job) -> None:
        self.running += 1

    def ended(self, one: Ended) -> None:
        self.running -= one.seconds is not None
        word = ""
        if one.failed:
            self.failed[one.job.key], word = one.line, "failed: "
        elif one.job.kind == "cell":
            self.done += 1
            self.seconds.append(one.seconds or 0.0)
        took = "" if one.seconds is None else f" ({in_words(one.seconds)})"
        self.say(f"{one.job.name}: {word}{one.line}{took}  {self.state()}")

    def state(self) -> str:
        """As in [12 of 84 cells, 2 running, 1 failed, about 40 min left]."""
        parts = [f"{self.done} of {len(self.cells)} cells", f"{self.running} running", f"{len(self.failed)} failed"]
        missing = len(self.cells - set(self.failed)) - self.done
        if self.seconds and missing > 0:
            left = missing * sum(self.seconds) / len(self.seconds) / self.pool.size
            parts.append(f"about {in_words(left)} left")
        return f"[{', '.join(parts)}]"


def in_words(seconds: float) -> str:
    """
    >>> [in_words(8.2), in_words(300), in_words(7300)]
    ['8 s', '5 min', '2 h 2 min']
    """
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _noting(folder: Path, tally: Tally) -> Callable[[Ended], None]:
    """Writes down and says how a job ended."""

    def ended(one: Ended) -> None:
        if one.failed:
            cause: Mapping[str, str] = {"name": one.job.name, "error": one.line}
            write_text(failure_path(folder, one.job.key), json.dumps(cause, indent=1) + "\n")
        tally.ended(one)

    return ended


def _forget(folder: Path, keys: list[str]) -> None:
    """Failures of jobs that are done by now or tried again."""
    for key in keys:
        failure_path(folder, key).unlink(missing_ok=True)
