"""Comparisons of runs: tables with intervals, paired gains, and the report page."""

from distildoc.study.page import write_page
from distildoc.study.runs import Run, read_runs

__all__ = ["Run", "read_runs", "write_page"]
