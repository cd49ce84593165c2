"""What came out of a study: its cells with their runs, finished or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from distildoc.recipes.agreement import RESULT
from distildoc.recipes.attacks import RESULT as ATTACKS
from distildoc.recipes.exams import CORRUPTIONS, FOLDER
from distildoc.recipes.retrieval import RESULT as RETRIEVAL
from distildoc.schema.errors import InputError
from distildoc.schema.json_files import read_json
from distildoc.schema.report import Report, read_report
from distildoc.study.listing import CELLS, FORMAT, failure_path
from distildoc.study.runs import Run, read_run

Status = Literal["done", "failed", "missing"]
At = tuple[tuple[str, str], ...]  # a place: its choice on every axis


@dataclass(frozen=True)
class Entry:
    """A cell of the study.

    run    None before it has begun.
    cause  why it failed.
    """

    name: str
    key: str
    at: At
    seed: int
    folder: Path
    baseline: str | None
    status: Status
    run: Run | None = None
    cause: str = ""

    def choice(self, axis: str) -> str:
        return dict(self.at)[axis]

    def report(self) -> Report | None:
        return self.run.report if self.run is not None else None

    @cached_property
    def raw_report(self) -> Report | None:
        """The scores before the temperature was fitted, where they are stored."""
        path = self.folder / "evaluation" / "report_uncalibrated.json"
        return read_report(path) if path.is_file() else None

    @cached_property
    def shifted(self) -> dict[str, Report]:
        """Reports on shifted pages, by name."""
        found = sorted((self.folder / FOLDER / "shifted").glob("*/report.json"))
        return {path.parent.name: read_report(path) for path in found}

    @cached_property
    def damaged(self) -> dict[str, Any] | None:
        """Scores on damaged pages, as `corruptions.json` has them."""
        return _optional(self.folder / FOLDER / CORRUPTIONS)

    @cached_property
    def attacked(self) -> dict[str, Any] | None:
        """Accuracy under attack, as `attacks.json` has it."""
        return _optional(self.folder / ATTACKS)

    @cached_property
    def agreement(self) -> dict[str, Any] | None:
        """How far it agrees with its teacher, as `agreement.json` has it."""
        return _optional(self.folder / RESULT)

    @cached_property
    def retrieval(self) -> dict[str, Any] | None:
        """How its vectors find pages of the same class, as `retrieval.json` has it."""
        return _optional(self.folder / RETRIEVAL)


@dataclass(frozen=True)
class Results:
    """A study as far as it has come; `before` are the runs that others build on, with their names."""

    folder: Path
    name: str
    about: str
    rows: str
    columns: str | None
    axes: Mapping[str, tuple[str, ...]]
    baseline: str | None
    seeds: tuple[int, ...]
    entries: tuple[Entry, ...]
    before: tuple[Entry, ...]
    failures: tuple[tuple[str, str], ...]  # names and causes of all that failed in the last run of the study

    @property
    def choices_down(self) -> tuple[str, ...]:
        """Choices of the rows, baselines first."""
        own = self.axes.get(self.rows, ())
        rows = dict.fromkeys(entry.choice(self.rows) for entry in self.entries)
        return (*(row for row in rows if row not in own), *own)

    @property
    def choices_across(self) -> tuple[str, ...]:
        """Choices of the columns; one without a name where there is no such axis."""
        return ("",) if self.columns is None else self.axes[self.columns]

    @cached_property
    def places(self) -> dict[At, list[Entry]]:
        """The cells of each place, one a seed, in the order of the study."""
        found: dict[At, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.at, []).append(entry)
        return found

    def tables(self) -> list[At]:
        """Places on the axes that are neither rows nor columns; a table is made for each."""
        others = [axis for axis in self.axes if axis not in (self.rows, self.columns)]
        return list(dict.fromkeys(tuple((axis, entry.choice(axis)) for axis in others) for entry in self.entries))

    def column(self, table: At, column: str) -> list[Entry]:
        """The cells in a column of a table."""
        wanted = {*table} | ({(self.columns, column)} if self.columns else set())
        return [entry for entry in self.entries if wanted <= {*entry.at}]

    def scored(self, table: At) -> list[tuple[str, str, list[Entry]]]:
        """Row, column and the cells that were scored there, of a table; places without any are left out."""
        found = []
        for row in self.choices_down:
            for column in self.choices_across:
                at = self.cell(table, row, column)
                entries = [entry for entry in self.places[at] if entry.report()] if at is not None else []
                if entries:
                    found.append((row, column, entries))
        return found

    def cell(self, table: At, row: str, column: str) -> At | None:
        """The place in a row and column of a table, where there is one."""
        wanted = {**dict(table), self.rows: row} | ({self.columns: column} if self.columns else {})
        return next((entry.at for entry in self.entries if dict(entry.at) == wanted), None)


def read_results(folder: Path) -> Results:
    """The study in a folder; raises InputError in a line where there is none, or a file of it cannot be used."""
    path = folder / CELLS
    if not path.is_file():
        raise InputError(f"{folder}: no study there (no {CELLS}); give the folder that `distildoc study run` wrote")
    content = read_json(path)
    if content.get("format") != FORMAT:
        raise InputError(f"{path}: format {content.get('format')!r}, this version reads {FORMAT}; run the study again")
    try:
        return _results(folder, content)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not what `distildoc study run` writes ({error!r}); run the study again") from None


def _results(folder: Path, content: Mapping[str, Any]) -> Results:
    return Results(
        folder=folder,
        name=str(content["name"]),
        about=str(content["about"]),
        rows=str(content["rows"]),
        columns=content["columns"],
        axes={str(axis): tuple(map(str, choices)) for axis, choices in content["axes"].items()},
        baseline=content["baseline"],
        seeds=tuple(content["seeds"]),
        entries=_entries(folder, content["cells"]),
        before=_entries(folder, content["before"]),
        failures=tuple(
            (str(one["name"]), str(one["error"])) for one in map(read_json, sorted(folder.glob("failures/*.json")))
        ),
    )


def _entries(folder: Path, listed: Sequence[Mapping[str, Any]]) -> tuple[Entry, ...]:
    runs: dict[str, Entry] = {}
    found = []
    for one in listed:
        key = str(one["key"])
        if key not in runs:
            runs[key] = _entry(folder, one)
        at = tuple((str(axis), str(choice)) for axis, choice in one.get("at", {}).items())
        found.append(replace(runs[key], at=at, seed=int(one.get("seed", 0)), baseline=one.get("baseline")))
    return tuple(found)


def _entry(folder: Path, one: Mapping[str, Any]) -> Entry:
    """A run with how it stands, each folder read once."""
    key, where = str(one["key"]), (folder / str(one["folder"])).resolve()
    if not where.is_relative_to(folder.resolve()):
        raise InputError(f"{folder / CELLS}: the folder '{one['folder']}' lies outside the study")
    run = read_run(where) if (where / "run.json").is_file() else None
    failure = _optional(failure_path(folder, key))
    status: Status = "done" if run is not None and run.report is not None else "failed" if failure else "missing"
    return Entry(str(one["name"]), key, (), 0, where, None, status, run, str(failure["error"]) if failure else "")


def _optional(path: Path) -> dict[str, Any] | None:
    return read_json(path) if path.is_file() else None
