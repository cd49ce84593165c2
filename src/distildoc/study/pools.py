"""Pools: where the jobs of a study are done. In this process, or in some beside it."""

import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from distildoc.recipes.screen import Screen
from distildoc.schema.errors import InputError
from distildoc.study.cluster import Cluster
from distildoc.study.perform import perform
from distildoc.study.schedule import Pool


def pool_of(
    folder: Path, *, processes: int | None, ray: str | None, cpus: float, screen: Screen
) -> AbstractContextManager[Pool]:
    """The pool that is asked for: a Ray cluster, some processes, or this one."""
    if ray is not None:
        return Cluster(folder, ray, cpus=cpus)
    return nullcontext(Here(folder, screen)) if processes is None else Processes(folder, processes)


@dataclass(frozen=True)
class Here:
    """One job after the other, in this process."""

    folder: Path
    screen: Screen
    size: int = 1

    def submit(self, key: str) -> Future[str]:
        """The job is done when this returns."""
        future: Future[str] = Future()
        try:
            future.set_result(perform(self.folder, key, self.screen))
        except Exception as error:
            future.set_exception(error)
        return future


class Processes:
    """A process for each job, `size` at a time; one that is killed is a job that failed."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._threads = ThreadPoolExecutor(size)
        self._children: set[subprocess.Popen[str]] = set()

    def submit(self, key: str) -> Future[str]:
        return self._threads.submit(self._wait_for, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in tuple(self._children):
            child.terminate()
        self._threads.shutdown(cancel_futures=True)

    def _wait_for(self, key: str) -> str:
        command = [sys.executable, "-m", "distildoc", "study", "cell", str(self.folder), key]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._children.add(child)
        said, complained = child.communicate()
        self._children.discard(child)
        if child.returncode < 0:
            raise RuntimeError(f"its process was ended by signal {-child.returncode}")
        if child.returncode:
            raise InputError(_last_line(complained).removeprefix("error: "))
        return _last_line(said)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
