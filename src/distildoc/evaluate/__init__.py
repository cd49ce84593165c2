"""Scoring of any Predictor, torch student and bundle alike, with intervals; calibration, costs and plots."""

from distildoc.evaluate.run import Evaluation, evaluate, report_of
from distildoc.evaluate.table import PageTable, read_predictions, write_predictions

__all__ = ["Evaluation", "PageTable", "evaluate", "read_predictions", "report_of", "write_predictions"]
