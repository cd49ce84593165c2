"""An evaluation on disk: report.json, predictions.csv, and its plots."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from distildoc.evaluate.plots import FIGURES, write_figure
from distildoc.evaluate.run import Evaluation
from distildoc.evaluate.table import write_predictions
from distildoc.schema.pages import FailedPage
from distildoc.schema.report import Report
from distildoc.schema.writing import new_folder

REPORT, PREDICTIONS, FAILED = "report.json", "predictions.csv", "failed.csv"


def write_evaluation(evaluation: Evaluation, folder: Path) -> Path:
    """Write the folder, replacing an older one once the new one is complete; gives the path of the report.

    report.json, predictions.csv, reliability.png, risk_coverage.png, confusion.png, and failed.csv (page, reason)
    where pages could not be read.
    """
    with new_folder(folder) as part:
        write_record(evaluation.report, evaluation.failed, part)
        write_predictions(evaluation.table, part / PREDICTIONS)
        for name, draw in FIGURES.items():
            write_figure(draw(evaluation.report), part / f"{name}.png")
    return folder / REPORT


def write_record(report: Report, failed: Sequence[FailedPage], folder: Path) -> None:
    """report.json, and failed.csv where pages could not be read."""
    text = json.dumps(report.to_json(), indent=1, allow_nan=False)
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")
    if failed:
        with (folder / FAILED).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("page", "reason"), *((page.id, page.reason) for page in failed)])
