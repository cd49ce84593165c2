"""The report page: what some runs came to, in one HTML file that needs nothing else.

No script, no font, no picture from elsewhere: charts are inline SVG that follows the reader's light or dark scheme.
Everything that comes from a run is escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from distildoc.metrics import Difference
from distildoc.schema.report import Report, Score
from distildoc.schema.writing import new_file
from distildoc.study import formats
from distildoc.study.figures import charts_of
from distildoc.study.groups import Group, accuracy_gain, best_of, group_runs, layout_gain
from distildoc.study.rendering import templates
from distildoc.study.runs import Run, read_runs
from distildoc.study.shown import Shown, shown_of
from distildoc.study.summary import summary

MOST_CLASSES = 40  # of a confusion matrix that is shown cell by cell


@dataclass(frozen=True)
class Cell:
    """A score as it stands in the table; `kind` says what the interval is."""

    value: str
    interval: str
    best: bool


@dataclass(frozen=True)
class Row:
    group: Group
    main: tuple[Cell | None, ...]
    every: tuple[Cell | None, ...]
    gain: Difference | None
    parameters: str
    macs: str
    latency: str
    bundle: str
    style: int


def write_page(folders: Sequence[Path], path: Path) -> Path:
    """Read run folders and write the page that compares them; gives its path.

    Raises InputError for a folder that holds no run, or a file in it that cannot be used.
    """
    html = render(read_runs(folders))
    with new_file(path) as part:
        part.write_text(html, encoding="utf-8")
    return path


def render(runs: Sequence[Run]) -> str:
    """The page as text."""
    groups = group_runs(runs)
    shown = shown_of(groups)
    gains = _gains(groups)
    return (
        templates()
        .get_template("page.html")
        .render(
            title=_title(groups),
            summary=summary(groups, gains, shown),
            warnings=_warnings(groups),
            shown=shown,
            rows=_rows(groups, gains, shown),
            threads=_threads(groups),
            charts=charts_of(groups, shown),
            classes=_classes(groups, shown.classes[0]),
            confusions=[(group, report) for group in groups if (report := group.report) and _shown(report)],
            runs=[(run, _provenance(run)) for group in groups for run in group.runs],
            version=version("distildoc"),
        )
    )


def _gains(groups: Sequence[Group]) -> dict[str, Difference]:
    """Accuracy or mAP above the first supervised group, by name."""
    baseline = next((group for group in groups if group.role == "supervised"), None)
    if baseline is None:
        return {}
    detects = baseline.report is not None and baseline.report.task == "detection"
    gain_of = layout_gain if detects else accuracy_gain
    found = {group.name: gain_of(group, baseline) for group in groups if group is not baseline}
    return {name: gain for name, gain in found.items() if gain is not None}


def _rows(groups: Sequence[Group], gains: Mapping[str, Difference], shown: Shown) -> list[Row]:
    best = {name: best_of(groups, name) for name in shown.every}

    def cells(group: Group, names: Mapping[str, str]) -> tuple[Cell | None, ...]:
        return tuple(_cell(group.score(name), group.name in best[name]) for name in names)

    return [
        Row(
            group=group,
            main=cells(group, shown.main),
            every=cells(group, shown.every),
            gain=gains.get(group.name),
            parameters=formats.count(group.cost("parameters")),
            macs=formats.count(group.cost("macs")),
            latency=formats.milliseconds(group.cost("latency_ms")),
            bundle=formats.megabytes(next((r.bundle_bytes for r in group.runs if r.bundle_bytes), None)),
            style=number,
        )
        for number, group in enumerate(groups)
    ]


def _cell(score: Score | None, best: bool) -> Cell | None:
    if score is None:
        return None
    return Cell(f"{score.value:.3f}", f"{score.low:.3f} – {score.high:.3f}", best)


def _classes(groups: Sequence[Group], name: str) -> tuple[tuple[str, ...], list[tuple[Group, list[Score | None]]]]:
    """Class names and, by group, that score of each; of groups with the labels of the first."""
    labels = next((group.report.labels for group in groups if group.report), ())
    rows = [
        (group, [group.score(name, f"class: {label}") for label in labels])
        for group in groups
        if group.report and set(group.report.labels) == set(labels)
    ]
    return labels, rows


def _shown(report: Report) -> bool:
    return bool(report.confusion) and len(report.labels) <= MOST_CLASSES


def _title(groups: Sequence[Group]) -> str:
    runs = sum(len(group.runs) for group in groups)
    if len(groups) == 1:
        return groups[0].name
    return f"{runs} runs compared" if runs == len(groups) else f"{len(groups)} settings compared, {runs} runs"


def _threads(groups: Sequence[Group]) -> str:
    found = sorted({int(threads) for group in groups if (threads := group.cost("threads"))})
    return ", ".join(map(str, found))


def _warnings(groups: Sequence[Group]) -> list[str]:
    """What a reader must know before comparing rows."""
    reports = [report for group in groups for report in group.reports]
    found = []
    if len({report.source.get("pages_hash") for report in reports}) > 1:
        found.append("These runs were not scored on the same pages: their rows cannot be compared.")
    if len({(report.cost.get("height"), report.cost.get("width")) for report in reports if report.cost}) > 1:
        found.append("The models work at different page sizes; costs are those of each model's own size.")
    if failed := max((report.failed for report in reports), default=0):
        found.append(f"Up to {failed} pages could not be read and are in no score.")
    missing = [run.name for group in groups for run in group.runs if run.report is None]
    if missing:
        found.append(f"Not evaluated yet: {', '.join(missing)}.")
    return found


def _provenance(run: Run) -> list[tuple[str, str]]:
    """Hashes, versions and circumstances of a run, as far as they are written down."""
    facts: dict[str, str] = {"folder": run.path.name}
    _flatten("", {name: value for name, value in run.record.items() if name not in ("format", "name")}, facts)
    if run.report:
        facts |= {f"evaluation {name}": value for name, value in run.report.source.items()}
    if run.history:
        epoch, score = max(run.history, key=lambda point: point[1])
        facts["best validation score"] = f"{score:.4f} after {epoch:g} epochs"
    return list(facts.items())


def _flatten(prefix: str, record: Mapping[str, object], into: dict[str, str]) -> None:
    """Nested entries under names joined by spaces."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            _flatten(f"{prefix}{name} ", value, into)
        elif isinstance(value, list):
            into[f"{prefix}{name}"] = _cut(", ".join(map(str, value)))
        elif value is not None:
            into[f"{prefix}{name}"] = f"{value:.6g}" if isinstance(value, float) else _cut(str(value))


def _cut(text: str, most: int = 300) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
