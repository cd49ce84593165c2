"""Comparisons of runs: studies of many, tables with intervals, paired gains, and the report pages."""

from distildoc.study.page import write_page
from distildoc.study.rows import load
from distildoc.study.runs import Run, read_runs
from distildoc.study.study_page import write_report

__all__ = ["Run", "load", "read_runs", "write_page", "write_report"]
