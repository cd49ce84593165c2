"""The order of jobs: each runs once what it waits for is done, as many at a time as a pool takes."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Protocol

from distildoc.study.jobs import Job


class Pool(Protocol):
    """Where jobs are done.

    size    how many at a time.
    submit  begin the job of that key; the future gives its line, or raises what stopped it.
    """

    @property
    def size(self) -> int: ...

    def submit(self, key: str) -> Future[str]: ...


@dataclass(frozen=True)
class Ended:
    """How a job ended: `line` is what came out or, where it failed, the cause; `seconds` None: it was not begun."""

    job: Job
    line: str
    seconds: float | None
    failed: bool = False


def carry_out(
    jobs: Sequence[Job],
    pool: Pool,
    *,
    done: Iterable[str],
    failed: Iterable[str],
    begun: Callable[[Job], None],
    ended: Callable[[Ended], None],
) -> None:
    """Do all jobs; one that fails, or waits for one that did, is reported and stops no other.

    done, failed  keys of jobs that ended before.
    begun, ended  are told of each job.
    """
    good, bad = set(done), set(failed)
    waiting = list(jobs)
    running: dict[Future[str], tuple[Job, float]] = {}
    while waiting or running:
        for job in [job for job in waiting if bad & set(job.after)]:
            waiting.remove(job)
            bad.add(job.key)
            ended(Ended(job, "not begun, because what it builds on failed", None, failed=True))
        for job in [job for job in waiting if good >= set(job.after)][: max(0, pool.size - len(running))]:
            waiting.remove(job)
            begun(job)
            start = time.monotonic()
            running[pool.submit(job.key)] = (job, start)
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job, start = running.pop(future)
            outcome = _outcome(job, future, time.monotonic() - start)
            (bad if outcome.failed else good).add(job.key)
            ended(outcome)


def _outcome(job: Job, future: Future[str], seconds: float) -> Ended:
    error = future.exception()
    if error is None:
        return Ended(job, future.result(), seconds)
    return Ended(job, cause_of(error), seconds, failed=True)


def cause_of(error: BaseException) -> str:
    """An error in a line; errors that are not about what the user gave say what kind they are."""
    error = getattr(error, "cause", None) or error  # Ray wraps what was raised on the other machine
    words = " ".join(str(error).split())
    return words if isinstance(error, ValueError) and words else f"{type(error).__name__}: {words}".rstrip(": ")
