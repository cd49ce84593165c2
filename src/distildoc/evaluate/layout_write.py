"""A layout evaluation on disk: report.json, the regions in COCO's forms, and its plots."""

from pathlib import Path

from distildoc.evaluate.layout_files import write_layouts
from distildoc.evaluate.layout_plots import LAYOUT_FIGURES
from distildoc.evaluate.layout_report import LayoutEvaluation
from distildoc.evaluate.plots import write_figure
from distildoc.evaluate.write import REPORT, write_record
from distildoc.schema.writing import new_folder


def write_layout(evaluation: LayoutEvaluation, folder: Path) -> Path:
    """Write the folder, replacing an older one once the new one is complete; gives the path of the report.

    report.json, truth.json, detections.json, detections_post.json where there was a post-processing, classes.png,
    precision_recall.png, scores.png, and failed.csv (page, reason) where pages could not be read.
    """
    with new_folder(folder) as part:
        write_record(evaluation.report, evaluation.failed, part)
        write_layouts(evaluation.table, part)
        for name, draw in LAYOUT_FIGURES.items():
            write_figure(draw(evaluation), part / f"{name}.png")
    return folder / REPORT
