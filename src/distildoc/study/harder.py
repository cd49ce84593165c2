"""How the cells of a study do in their exams: shifted pages, damaged pages, agreement with the teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from distildoc.metrics.agreement import AGREEMENT
from distildoc.study.results import At, Entry, Results

OTHERS = ("aurc", "ece", "ap50")  # told of shifted pages beside the primary score


@dataclass(frozen=True)
class Shift:
    """A row and column on shifted pages: mean over seeds.

    inside, outside  primary score on the test pages and on the shifted ones.
    lost             share of it that is lost; nan where there is none inside.
    others           further scores: inside, outside.
    """

    row: str
    column: str
    inside: float
    outside: float
    others: Mapping[str, tuple[float, float]]

    @property
    def lost(self) -> float:
        return (self.inside - self.outside) / self.inside if self.inside else float("nan")


@dataclass(frozen=True)
class Rank:
    """Rank correlation between the scores inside and outside over some rows; nan where all are equal."""

    where: str
    rows: int
    spearman: float
    kendall: float


@dataclass(frozen=True)
class Shifted:
    """Shifted pages of one name, in one table of the study."""

    pages: str
    table: At
    rows: tuple[Shift, ...]
    ranks: tuple[Rank, ...]


@dataclass(frozen=True)
class Damage:
    """A row and column under damage: primary score, mean over seeds, kinds and severities.

    relative  share of the clean score that is lost; nan where there is none.
    kinds     by kind, mean of severities.
    steps     by kind, at each severity.
    """

    row: str
    column: str
    clean: float
    mean: float
    relative: float
    ece: float | None
    kinds: Mapping[str, float]
    steps: Mapping[str, Mapping[int, float]]

    def at(self, severity: int) -> float:
        """Mean of the kinds at a severity; 0 is the clean page."""
        return float(np.mean([step[severity] for step in self.steps.values()])) if severity else self.clean

    @property
    def severities(self) -> tuple[int, ...]:
        """Those at which every kind was scored."""
        known = [set(step) for step in self.steps.values()]
        return tuple(sorted(set.intersection(*known))) if known else ()


@dataclass(frozen=True)
class Agreed:
    """A row and column beside the teacher: mean over seeds. `cka` [student taps, teacher taps]."""

    row: str
    column: str
    scores: Mapping[str, float]
    student_taps: tuple[str, ...]
    teacher_taps: tuple[str, ...]
    cka: tuple[tuple[float, ...], ...]


def shifts_of(results: Results) -> list[Shifted]:
    """All shifted pages of all tables, where any cell was scored on them."""
    found = []
    for table in results.tables():
        cells = results.scored(table)
        names = {name: None for _, _, entries in cells for entry in entries for name in entry.shifted}
        for name in names:
            rows = tuple(shift for row, column, some in cells if (shift := _shift(row, column, some, name)) is not None)
            found.append(Shifted(name, table, rows, _ranks(rows)))
    return found


def damages_of(results: Results, table: At) -> list[Damage]:
    """Rows and columns of a table that were scored on damaged pages."""
    found = []
    for row, column, entries in results.scored(table):
        known = [(entry, damaged) for entry in entries if (damaged := entry.damaged) is not None]
        if known:
            found.append(_damage(row, column, [one for _, one in known], _primary(known[0][0])))
    return found


def agreements_of(results: Results, table: At) -> list[Agreed]:
    """Rows and columns of a table that were set beside their teacher."""
    found = []
    for row, column, entries in results.scored(table):
        known = [agreed for entry in entries if (agreed := entry.agreement) is not None]
        if known:
            found.append(_agreed(row, column, known))
    return found


def _primary(entry: Entry) -> str:
    """Name of the primary score of a cell that has been scored."""
    report = entry.report()
    assert report is not None
    return report.primary


def _shift(row: str, column: str, entries: Sequence[Entry], name: str) -> Shift | None:
    known = [(entry, entry.shifted[name]) for entry in entries if name in entry.shifted]
    if not known:
        return None
    primary = _primary(known[0][0])
    sides = [[report for entry, _ in known if (report := entry.report()) is not None], [one for _, one in known]]

    def means(score: str) -> tuple[float, float]:
        inside, outside = (float(np.mean([report.scores[score].value for report in side])) for side in sides)
        return inside, outside

    others = {
        score: means(score) for score in OTHERS if all(score in report.scores for side in sides for report in side)
    }
    return Shift(row, column, *means(primary), others)


def _ranks(rows: Sequence[Shift]) -> tuple[Rank, ...]:
    """Within each column, and over all of them."""
    columns = dict.fromkeys(one.column for one in rows)
    groups = [(column, [one for one in rows if one.column == column]) for column in columns if column]
    groups.append(("all", list(rows)))
    return tuple(_rank(where, some) for where, some in groups if len(some) > 2)


def _rank(where: str, rows: Sequence[Shift]) -> Rank:
    inside, outside = [one.inside for one in rows], [one.outside for one in rows]
    if len(set(inside)) < 2 or len(set(outside)) < 2:
        return Rank(where, len(rows), float("nan"), float("nan"))
    spearman, kendall = stats.spearmanr(inside, outside).statistic, stats.kendalltau(inside, outside).statistic
    return Rank(where, len(rows), float(spearman), float(kendall))


def _damage(row: str, column: str, known: Sequence[Mapping[str, Any]], primary: str) -> Damage:
    def mean(part: str, name: str) -> float | None:
        values = [float(one[part][name]) for one in known if name in one.get(part, {})]
        return float(np.mean(values)) if values else None

    kinds = [kind for kind in known[0]["kinds"] if all(kind in one["kinds"] for one in known)]
    entries = {kind: [entry for one in known for entry in one["kinds"][kind]] for kind in kinds}
    nan = float("nan")
    clean, damaged, lost = mean("clean", primary), mean("mean", primary), mean("relative", primary)
    return Damage(
        row,
        column,
        nan if clean is None else clean,
        nan if damaged is None else damaged,
        nan if lost is None else lost,
        mean("mean", "ece"),
        {kind: float(np.mean([entry[primary] for entry in some])) for kind, some in entries.items()},
        {kind: _by_severity(some, primary) for kind, some in entries.items()},
    )


def _by_severity(entries: Sequence[Mapping[str, Any]], primary: str) -> dict[int, float]:
    severities = sorted({int(entry["severity"]) for entry in entries})
    return {
        severity: float(np.mean([entry[primary] for entry in entries if entry["severity"] == severity]))
        for severity in severities
    }


def _agreed(row: str, column: str, known: Sequence[Mapping[str, Any]]) -> Agreed:
    scores = {
        name: float(np.mean([one[name]["value"] for one in known if name in one]))
        for name in AGREEMENT
        if any(name in one for one in known)
    }
    maps = [one["cka"] for one in known if "cka" in one]
    if not maps:
        return Agreed(row, column, scores, (), (), ())
    values = np.array([[[np.nan if v is None else v for v in line] for line in one["values"]] for one in maps], float)
    return Agreed(
        row,
        column,
        scores,
        tuple(maps[0]["student"]),
        tuple(maps[0]["teacher"]),
        tuple(tuple(map(float, line)) for line in values.mean(0)),
    )
