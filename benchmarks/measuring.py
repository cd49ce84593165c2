"""What the benchmarks share: paired rounds of CPU time, intervals, the facts that every result carries. No torch."""

import gc
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from distildoc.recipes.folder import hardware

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DRAWS = 4000  # bootstrap samples

Seconds = dict[str, list[float]]


def paired_rounds(
    variants: Mapping[str, Callable[[], object]], *, rounds: int, calls: int = 1, discard: int = 1, seed: int = 0
) -> Seconds:
    """CPU seconds of this process for `calls` calls of every variant, one value a round.

    Each round runs all variants in a new order, each after `discard` calls that are not timed, so that a slow spell
    of the machine falls on all of them alike and ratios can be taken round by round.
    """
    shuffler = random.Random(seed)
    seconds: Seconds = {name: [] for name in variants}
    for number in range(rounds):
        for name in shuffler.sample(list(variants), len(variants)):
            for _ in range(discard):
                variants[name]()
            gc.collect()
            began = time.process_time()
            for _ in range(calls):
                variants[name]()
            seconds[name].append((time.process_time() - began) / calls)
        print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return seconds


def ratio(seconds: Seconds, over: str, under: str) -> dict[str, float]:
    """Median over the rounds of over / under, and the 95 % percentile-bootstrap interval of that median."""
    ratios = np.array(seconds[over]) / np.array(seconds[under])
    rows = np.random.default_rng(0).integers(len(ratios), size=(DRAWS, len(ratios)))
    low, high = np.quantile(np.median(ratios[rows], axis=1), [0.025, 0.975])
    return {"median": round(float(np.median(ratios)), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def in_ms(values: Sequence[float]) -> dict[str, float]:
    """Median and least of some seconds, in milliseconds."""
    return {"median_ms": round(1000 * float(np.median(values)), 3), "min_ms": round(1000 * min(values), 3)}


def versions(names: Sequence[str]) -> dict[str, str | None]:
    """Versions of some distributions; None where one is not installed."""
    found: dict[str, str | None] = {"python": sys.version.split()[0]}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def write_result(name: str, facts: Mapping[str, Any], *, seeds: Sequence[int], software: Sequence[str]) -> Path:
    """Write benchmarks/results/NAME.json: how, from what and where the figures came, then the figures."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=ROOT)
    changed = subprocess.run(["git", "status", "--porcelain", "src"], capture_output=True, text=True, cwd=ROOT)
    content = {
        "command": " ".join(["python", Path(sys.argv[0]).resolve().relative_to(ROOT).as_posix(), *sys.argv[1:]]),
        "commit": commit.stdout.strip(),
        "uncommitted_changes_in_src": bool(changed.stdout.strip()),
        "hardware": hardware(),
        "load_average_at_end": round(os.getloadavg()[0], 1),
        "seeds": list(seeds),
        "versions": versions(software),
        **facts,
    }
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
    return path
