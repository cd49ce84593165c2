"""A study as one long table: a row a cell, for pandas and CSV."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from distildoc.metrics.agreement import AGREEMENT
from distildoc.metrics.retrieval import DISTANCES
from distildoc.schema.report import Report
from distildoc.study.results import Entry, Results, read_results

if TYPE_CHECKING:
    from pandas import DataFrame

CellRow = dict[str, str | int | float | None]


def load(folder: Path | str) -> "DataFrame":
    """The cells of a study as a pandas DataFrame: axes, seed, status, and every number that is known of a run.

    Columns: one an axis; `seed`, `key`, `folder`, `status` (done, failed, missing), `cause`; SCORE, SCORE_low and
    SCORE_high with the 95 % interval over pages; raw_SCORE before the temperature was fitted; shifted:NAME:SCORE;
    damaged:SCORE and damaged:relative:SCORE; the accuracies attacked:NAME and certified:RADIUS; fidelity, kappa, kl,
    wrong_together; cosine:SCORE and euclidean:SCORE of retrieval; parameters, macs, latency_ms, train_seconds. What is
    not known of a cell is NaN. Raises InputError for a folder that holds no study.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("a table of a study needs pandas: pip install 'distildoc[study]'") from error
    return pd.DataFrame(cell_rows(read_results(Path(folder))))


def cell_rows(results: Results) -> list[CellRow]:
    """The rows of `load` as plain mappings; cells lack what is not known of them."""
    return [_row(entry) for entry in results.entries]


def _row(entry: Entry) -> CellRow:
    row: CellRow = dict(entry.at)
    row |= {"seed": entry.seed, "key": entry.key, "folder": entry.folder.name, "status": entry.status}
    row["cause"] = entry.cause or None
    report = entry.report()
    if report is None:
        return row
    for name, score in report.scores.items():
        row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    row |= dict(_others(entry, report))
    return row


def _others(entry: Entry, report: Report) -> Iterator[tuple[str, float]]:
    """What is known beside the scores on the test pages."""
    raw = entry.raw_report
    if raw is not None:
        yield from ((f"raw_{name}", score.value) for name, score in raw.scores.items())
    for pages, shifted in entry.shifted.items():
        yield from ((f"shifted:{pages}:{name}", score.value) for name, score in shifted.scores.items())
    damaged = entry.damaged or {}
    yield from ((f"damaged:{name}", float(value)) for name, value in damaged.get("mean", {}).items())
    yield from ((f"damaged:relative:{name}", float(value)) for name, value in damaged.get("relative", {}).items())
    attacked = entry.attacked or {}
    yield from ((f"attacked:{name}", float(one["value"])) for name, one in attacked.get("accuracy", {}).items())
    certified = attacked.get("certified", {}).get("within", {})
    yield from ((f"certified:{radius}", float(one["value"])) for radius, one in certified.items())
    agreed = entry.agreement or {}
    for name in AGREEMENT:
        if name in agreed:
            yield name, float(agreed[name]["value"])
    asked = entry.retrieval or {}
    for distance in DISTANCES:
        yield from ((f"{distance}:{name}", float(score["value"])) for name, score in asked.get(distance, {}).items())
    yield from ((name, report.cost[name]) for name in ("parameters", "macs", "latency_ms") if name in report.cost)
    seconds = trained_seconds(entry)
    if seconds is not None:
        yield "train_seconds", seconds


def trained_seconds(entry: Entry) -> float | None:
    """Wall time of the training, where it is written down."""
    stages = entry.run.record.get("stages") if entry.run is not None else None
    trained = stages.get("train") if isinstance(stages, dict) else None
    seconds = trained.get("seconds") if isinstance(trained, dict) else None
    return float(seconds) if isinstance(seconds, int | float) else None
