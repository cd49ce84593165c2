"""The report of a study: a page that needs nothing else, tables as CSV and LaTeX, plots as SVG."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment

from distildoc.schema.errors import InputError
from distildoc.schema.writing import new_folder
from distildoc.study import formats
from distildoc.study.charts import IntervalChart, LineChart
from distildoc.study.groups import Group
from distildoc.study.harder import Agreed, Damage, Shifted, agreements_of, damages_of, shifts_of
from distildoc.study.rendering import templates
from distildoc.study.results import At, Entry, Results, read_results
from distildoc.study.rows import trained_seconds
from distildoc.study.run import in_words
from distildoc.study.shown import Shown, shown_of
from distildoc.study.statistics import Place, draws_for, places_of
from distildoc.study.study_charts import Pictures, damage_charts, pictures_of, shift_chart
from distildoc.study.tables import TITLES, Table, cells_csv, latex, places_csv, tables_of

PAGE = "index.html"
MARK = "tables/places.csv"  # what a folder has that an earlier report was written to


@dataclass(frozen=True)
class Section:
    """A table with all that belongs to it."""

    table: Table
    pictures: Pictures
    shifts: tuple[tuple[Shifted, LineChart], ...]
    damages: tuple[Damage, ...]
    by_severity: tuple[LineChart, ...]
    agreements: tuple[Agreed, ...]
    costs: tuple[tuple[str, str, str, str, str, str], ...]  # row, column, weights, MACs, latency, training


def write_report(folder: Path, out: Path | None = None) -> list[Path]:
    """Write the report of a study folder to `out` (FOLDER/report), whole or not at all; gives the files.

    index.html, tables/{cells,places}.csv, tables/TABLE.tex, plots/*.svg; they replace an earlier report. Raises
    InputError for a folder without a study, a file in it that cannot be used, or an `out` that holds other things.
    """
    out = folder / "report" if out is None else out
    _refuse_other(out)
    results = read_results(folder)
    places = places_of(results)
    shown = shown_of([Group("", "student", (entry.run,)) for entry in results.entries if entry.run is not None])
    sections = _sections(results, places, shown)
    environment = templates()
    with new_folder(out) as part:
        for name, text in _files(results, places, sections, shown, environment):
            path = part / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        written = sorted(path.relative_to(part) for path in part.rglob("*") if path.is_file())
    return [out / PAGE, *(out / name for name in written if name != Path(PAGE))]


def _refuse_other(out: Path) -> None:
    if not out.exists() or (out / MARK).is_file() or (out.is_dir() and not any(out.iterdir())):
        return
    raise InputError(f"{out}: holds other things than a report, which would replace them; name a new folder with --out")


def _sections(results: Results, places: Mapping[At, Place], shown: Shown) -> list[Section]:
    shifts = shifts_of(results)
    sections = []
    for table in tables_of(results, places):
        damages = damages_of(results, table.at)
        section = Section(
            table,
            pictures_of(results, table, places, shown),
            tuple((one, shift_chart(one, results, shown)) for one in shifts if one.table == table.at),
            tuple(damages),
            tuple(damage_charts(damages, results, shown)),
            tuple(agreements_of(results, table.at)),
            tuple(_costs(results, table)),
        )
        sections.append(section)
    return sections


def _files(
    results: Results, places: Mapping[At, Place], sections: Sequence[Section], shown: Shown, environment: Environment
) -> Iterator[tuple[str, str]]:
    """Name and text of every file."""
    yield PAGE, _page(results, places, sections, shown, environment)
    yield "tables/cells.csv", cells_csv(results)
    yield MARK, places_csv(results, places)
    for number, section in enumerate(sections, start=1):
        stem = f"{number}-{plain(section.table.title)}" if section.table.at else "study"
        yield f"tables/{stem}.tex", latex(section.table)
        for name, chart in _charts(section):
            yield f"plots/{stem}-{plain(name)}.svg", _svg(chart, environment)


def _charts(section: Section) -> Iterator[tuple[str, LineChart | IntervalChart]]:
    found: list[tuple[str, LineChart | IntervalChart | None]] = [
        ("size", section.pictures.size),
        ("latency", section.pictures.latency),
    ]
    for panel in section.pictures.panels:
        stem = f"{panel.column}-" if panel.column else ""
        charts = panel.charts
        found += [(f"{stem}scores", charts.scores), (f"{stem}risk", charts.risk)]
        found += [(f"{stem}reliability", charts.reliability), (f"{stem}learning", charts.learning)]
    found += [(f"shift-{shift.pages}", chart) for shift, chart in section.shifts]
    found += [(chart.title, chart) for chart in section.by_severity]
    return ((name, chart) for name, chart in found if chart is not None)


def _svg(chart: LineChart | IntervalChart, environment: Environment) -> str:
    """A chart as a file of its own, with its title, legend and colours in it."""
    return environment.get_template("plot.svg").render(chart=chart, is_lines=isinstance(chart, LineChart))


def _page(
    results: Results, places: Mapping[At, Place], sections: Sequence[Section], shown: Shown, environment: Environment
) -> str:
    scored = [entry for entry in results.entries if entry.report() is not None]
    gains = [place.gains[shown.primary] for place in places.values() if shown.primary in place.gains]
    return environment.get_template("study.html").render(
        results=results,
        shown=shown,
        sections=sections,
        titles=TITLES,
        headline=_headline(results, sections, shown),
        missing=[entry for entry in _unique(results.entries) if entry.status != "done"],
        comparisons=len(gains),
        resamples=draws_for(results),
        runs=[(entry, _facts(entry)) for entry in _unique((*results.before, *scored))],
        version=version("distildoc"),
    )


def _headline(results: Results, sections: Sequence[Section], shown: Shown) -> list[str]:
    """What a reader should know first, in sentences."""
    unique = _unique(results.entries)
    done = sum(entry.status == "done" for entry in unique)
    lines = [f"{done} of {len(unique)} cells are done, with the seeds {', '.join(map(str, results.seeds))}."]
    for section in sections:
        for column in section.table.columns:
            ranked = [
                (line, line.boxes[column, shown.primary])
                for line in section.table.lines
                if (column, shown.primary) in line.boxes
            ]
            if len(ranked) < 2:
                continue
            line, box = max(ranked, key=lambda pair: pair[1].estimate.value)
            where = ", ".join(part for part in (section.table.title, column) if part)
            gain = ""
            if box.gain is not None:
                sure = "significant" if box.gain.significant else "not significant"
                gain = f", {formats.points(box.gain.value)} points to {results.baseline} ({sure})"
            lines.append(f"{where or 'Best'}: {line.name} with {box.estimate.value:.3f}{gain}.")
    return lines


def _costs(results: Results, table: Table) -> Iterator[tuple[str, str, str, str, str, str]]:
    for row, column, entries in results.scored(table.at):
        group = Group(row, "student", tuple(entry.run for entry in entries if entry.run is not None))
        seconds = [found for entry in entries if (found := trained_seconds(entry)) is not None]
        took = in_words(sum(seconds) / len(seconds)) if seconds else "–"
        weights, macs = formats.count(group.cost("parameters")), formats.count(group.cost("macs"))
        yield row, column, weights, macs, formats.milliseconds(group.cost("latency_ms")), took


def _facts(entry: Entry) -> list[tuple[str, str]]:
    """Where a run comes from."""
    record: Mapping[str, Any] = entry.run.record if entry.run is not None else {}
    report = entry.report()
    found = {
        "key": entry.key,
        "hardware": str(record.get("hardware", "")),
        "versions": ", ".join(f"{name} {number}" for name, number in dict(record.get("versions", {})).items()),
        "pages": "" if report is None else f"{report.pages}, {report.source.get('pages_hash', '')}",
    }
    return [(name, value) for name, value in found.items() if value]


def _unique(entries: Sequence[Entry]) -> list[Entry]:
    """Each run once."""
    return list({entry.key: entry for entry in entries}.values())


def plain(text: str) -> str:
    """What a file may be called everywhere.

    >>> plain("../a b, c")
    'a-b-c'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")
