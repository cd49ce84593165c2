"""Exam: the labelled pages that something is scored on, once, and where the result goes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distildoc.data.pageset import PageSet
from distildoc.recipes.files import short_hash
from distildoc.schema.json_files import read_json
from distildoc.schema.pages import Page
from distildoc.schema.report import Report


@dataclass(frozen=True)
class Exam:
    """pages  read as they are scored.
    out       folder that gets the evaluation, whole or not at all.
    source    names and hashes for the report.
    skip_bad  leave out pages that cannot be read, and count them.
    """

    pages: Iterable[Page]
    out: Path
    source: Mapping[str, str]
    skip_bad: bool = False


def summary(report: Report, shown: Sequence[str], noun: str = "pages") -> str:
    """Some scores with their intervals, in a line; the noun is what was scored."""
    scores = [f"{name} {(s := report.scores[name]).value:.4f} [{s.low:.4f}, {s.high:.4f}]" for name in shown]
    failed = f", {report.failed} unreadable" if report.failed else ""
    return f"{', '.join(scores)} on {report.pages} {noun}{failed}"


def exam_hash(model: str, settings: object, pages: PageSet) -> str:
    """16 hex digits that change with the fingerprint of the student, the settings of an exam, and its pages."""
    return short_hash(repr((model, settings, pages.fingerprint)))


def is_done(out: Path, hash: str) -> bool:
    """Whether the result of an exam is there, of this student, these settings and these pages."""
    return out.is_file() and read_json(out).get("hash") == hash
