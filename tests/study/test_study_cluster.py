"""A study on a Ray cluster of two machines, one of which dies on the way."""

import importlib.util
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distildoc.recipes.screen import SILENT
from distildoc.recipes.settings import validated
from distildoc.schema.errors import InputError
from distildoc.study.cluster import Cluster
from distildoc.study.config import StudyConfig
from distildoc.study.pools import Here
from distildoc.study.run import run_study

SPEC = importlib.util.spec_from_file_location("tiny_study", Path(__file__).with_name("tiny.py"))
assert SPEC is not None
assert SPEC.loader is not None
tiny = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tiny)


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without processors of its own and two machines of one processor each, all of them here."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_health_check_initial_delay_ms", "500")
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="ray is not installed (extra `study`)")
    found = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    found.workers = [found.add_node(num_cpus=1) for _ in range(2)]
    yield found
    found.shutdown()


def answers(folder: Path) -> dict[str, bytes]:
    return {path.parts[-3]: path.read_bytes() for path in folder.glob("runs/*/evaluation/predictions.csv")}


def test_a_machine_that_dies_loses_nothing_and_nothing_counts_twice(machines: Any, tmp_path: Path) -> None:
    tiny.draw_pages(tmp_path / "pages")
    study = validated(StudyConfig, dict(tiny.study_of(tmp_path / "pages")), "study")
    folder, lines = tmp_path / "ray", list[str]()
    killed = threading.Event()

    def kill() -> None:
        """Once the first cell has ended, while both machines are at others."""
        while not killed.is_set():
            if any("1 of 8 cells" in line for line in list(lines)):
                machines.remove_node(machines.workers[1], allow_graceful=False)
                killed.set()
            time.sleep(0.01)

    watcher = threading.Thread(target=kill)
    watcher.start()
    try:
        with Cluster(folder, machines.address) as pool:
            assert pool.size == 2
            failed = run_study(study, folder, pool, lines.append)
            left = pool.size
    finally:
        killed.set()
        watcher.join()
    assert left == 1
    assert not failed
    assert lines[-1].endswith("[8 of 8 cells, 0 running, 0 failed]")
    told = Counter(line.partition(":")[0] for line in lines[:-1])
    assert set(told.values()) == {1}
    keys = [cell["key"] for cell in json.loads((folder / "cells.json").read_text())["cells"]]
    assert len(keys) == len(set(keys)) == 8
    assert not run_study(study, tmp_path / "here", Here(tmp_path / "here", SILENT), lines.append)
    assert answers(folder) == answers(tmp_path / "here")


def test_an_address_without_a_cluster_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed (extra `study`)")
    with pytest.raises(InputError, match=r"no Ray cluster answers at '127\.0\.0\.1:9': Connection refused"):
        Cluster(tmp_path, "127.0.0.1:9")
