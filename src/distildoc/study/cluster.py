"""Cluster: the jobs of a study on the machines of a Ray cluster, which all see the study's folder.

A job whose machine is lost is done again on another one: training goes on from its last checkpoint, and a lock in the
study's folder keeps two processes from one job. Jobs run in the working directory of the command, with its paths.
"""

import os
import socket
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from distildoc.schema.errors import InputError
from distildoc.study.perform import perform

AGAIN = 5  # times that a job is begun anew after its machine was lost
PATIENCE_S = 10


class Cluster:
    """Jobs as Ray tasks of `cpus` processors each.

    Raises ImportError without Ray, InputError where no cluster answers at the address.
    """

    def __init__(self, folder: Path, address: str, *, cpus: float = 1.0) -> None:
        ray = _ray()
        _knock(address)
        try:
            ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(f"no Ray cluster answers at '{address}': {' '.join(str(error).split())}") from None
        self._ray = ray
        self._folder = str(folder)
        self._cpus = cpus
        self._task = ray.remote(num_cpus=cpus, max_retries=AGAIN)(_perform)

    @property
    def size(self) -> int:
        """As many jobs as the processors of the machines that are there now take; one where there are none."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 0) // self._cpus))

    def submit(self, key: str) -> Future[str]:
        future: Future[str] = self._task.remote(self._folder, key, str(Path.cwd())).future()
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()


def _knock(address: str) -> None:
    """Raises InputError where nobody listens at HOST:PORT, which Ray itself takes minutes to say."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "://" in address:
        return
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()
    except OSError as error:
        raise InputError(f"no Ray cluster answers at '{address}': {error.strerror or error}") from None


def _perform(folder: str, key: str, where: str) -> str:
    os.chdir(where)
    return perform(Path(folder), key)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError("--ray needs ray: pip install 'distildoc[study]'") from error
    return ray
