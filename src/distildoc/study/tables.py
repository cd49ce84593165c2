"""The tables of a study: rows by columns, as views for a page, as CSV and as LaTeX."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distildoc.metrics import HIGHER_IS_BETTER
from distildoc.schema.report import Report
from distildoc.study.results import At, Entry, Results
from distildoc.study.rows import cell_rows
from distildoc.study.shown import SHOWN
from distildoc.study.statistics import COMPARED, Comparison, Estimate, Place

TITLES = {name: title for shown in SHOWN.values() for name, title in shown.main.items()}
STAR = "*"  # significant after Holm's correction
LATEX = str.maketrans(
    {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}"}
    | {"^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


@dataclass(frozen=True)
class Box:
    """One score at a place; `best` of its column."""

    estimate: Estimate
    gain: Comparison | None
    best: bool


@dataclass(frozen=True)
class Line:
    """A row: its boxes by column and score; missing ones are cells that have not been scored."""

    name: str
    boxes: Mapping[tuple[str, str], Box]


@dataclass(frozen=True)
class Table:
    """at       choices of the axes that are neither rows nor columns.
    teachers  those of its cells that were scored on the same pages: name, and scores by column and name.
    """

    at: At
    columns: tuple[str, ...]
    scores: tuple[str, ...]
    lines: tuple[Line, ...]
    teachers: tuple[tuple[str, Mapping[tuple[str, str], Estimate]], ...]

    @property
    def title(self) -> str:
        return ", ".join(choice for _, choice in self.at)


def tables_of(results: Results, places: Mapping[At, Place]) -> list[Table]:
    """One for every combination of the other axes at which something was scored."""
    task = _task(results)
    scores = tuple(name for name in SHOWN[task].main if name in COMPARED[task])
    made = [_table(results, places, at, scores) for at in results.tables()]
    return [table for table in made if any(line.boxes for line in table.lines)]


def cells_csv(results: Results) -> str:
    """Every cell and every number known of it."""
    rows = cell_rows(results)
    return _csv(list(dict.fromkeys(name for row in rows for name in row)), rows)


def places_csv(results: Results, places: Mapping[At, Place]) -> str:
    """Means over seeds and differences to the baseline, a line a place and score."""
    names = [*results.axes, "score", "value", "low", "high", "seeds"]
    names += ["difference", "difference_low", "difference_high", "p", "p_holm", "pairs", "pairs_agree"]
    rows = []
    for at, place in places.items():
        for name, one in place.scores.items():
            row = {**dict(at), "score": name, "value": one.value, "low": one.low, "high": one.high, "seeds": one.seeds}
            if (gain := place.gains.get(name)) is not None:
                row |= {"difference": gain.value, "difference_low": gain.low, "difference_high": gain.high}
                row |= {"p": gain.p, "p_holm": gain.p_holm}
                row |= {"pairs": gain.seeds, "pairs_agree": gain.agree}
            rows.append(row)
    return _csv(names, rows)


def latex(table: Table) -> str:
    """The table for a document that uses booktabs; bold is the best of a column, a star is significant."""
    width = len(table.scores)
    head = " & ".join(["", *(rf"\multicolumn{{{width}}}{{c}}{{{_tex(column)}}}" for column in table.columns)])
    names = " & ".join(["", *(TITLES[name] for _ in table.columns for name in table.scores)])
    lines = [rf"\begin{{tabular}}{{l{'r' * (width * len(table.columns))}}}", r"\toprule"]
    lines += [head + r" \\"] if any(table.columns) else []
    lines += [names + r" \\", r"\midrule"]
    for name, scores in table.teachers:
        found = [scores.get((column, one)) for column in table.columns for one in table.scores]
        values = ["--" if one is None else f"{one.value:.3f}" for one in found]
        lines.append(" & ".join([f"teacher {_tex(name)}", *values]) + r" \\")
    for line in table.lines:
        boxes = [_tex_box(line.boxes.get((column, name))) for column in table.columns for name in table.scores]
        lines.append(" & ".join([_tex(line.name), *boxes]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _task(results: Results) -> str:
    return next((report.task for entry in results.entries if (report := entry.report())), "classification")


def _table(results: Results, places: Mapping[At, Place], table: At, scores: tuple[str, ...]) -> Table:
    found: dict[tuple[str, str], Place] = {}
    for row in results.choices_down:
        for column in results.choices_across:
            at = results.cell(table, row, column)
            if at is not None and at in places:
                found[row, column] = places[at]
    best = {(column, name): _best(found, column, name) for column in results.choices_across for name in scores}
    lines = []
    for row in results.choices_down:
        boxes = {
            (column, name): Box(
                place.scores[name], place.gains.get(name), place.scores[name].value == best[column, name]
            )
            for (at_row, column), place in found.items()
            for name in scores
            if at_row == row and name in place.scores
        }
        lines.append(Line(row, boxes))
    return Table(table, results.choices_across, scores, tuple(lines), _teachers(results, table, scores))


def _best(found: Mapping[tuple[str, str], Place], column: str, name: str) -> float | None:
    values = [place.scores[name].value for (_, at), place in found.items() if at == column and name in place.scores]
    if len(values) < 2:
        return None
    return max(values) if name in HIGHER_IS_BETTER else min(values)


def _teachers(
    results: Results, table: At, scores: tuple[str, ...]
) -> tuple[tuple[str, Mapping[tuple[str, str], Estimate]], ...]:
    """The runs that cells of a table name as teachers, in the columns of those, with intervals over pages."""
    found: dict[str, dict[tuple[str, str], Estimate]] = {}
    for entry in results.before:
        report = entry.report()
        if report is None:
            continue
        for column in results.choices_across:
            if any(_taught(one, entry, report) for one in results.column(table, column)):
                known = {(column, name): report.scores[name] for name in scores if name in report.scores}
                found.setdefault(entry.name, {}).update(
                    {key: Estimate(score.value, score.low, score.high, 1) for key, score in known.items()}
                )
    return tuple(found.items())


def _taught(student: Entry, teacher: Entry, scored: Report) -> bool:
    """Whether a cell names that teacher, and was scored on the same pages."""
    report = student.report()
    if student.run is None or report is None:
        return False
    named = {Path(folder).name for folder in student.run.teachers}
    return teacher.folder.name in named and report.source.get("pages_hash") == scored.source.get("pages_hash")


def _csv(names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _tex(text: str) -> str:
    return text.translate(LATEX)


def _tex_box(box: Box | None) -> str:
    if box is None:
        return "--"
    value = f"{box.estimate.value:.3f}"
    star = rf"\rlap{{$^{{{STAR}}}$}}" if box.gain is not None and box.gain.significant else ""
    return (rf"\textbf{{{value}}}" if box.best else value) + star
