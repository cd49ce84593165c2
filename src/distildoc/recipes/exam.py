"""Exam: the labelled pages that something is scored on, once, and where the result goes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from distildoc.schema.pages import Page


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
