"""The report of a LayoutTable.

    map, ap50, ap75                 of the detections as the detector gives them: COCO's numbers
    map_post, ap50_post, ap75_post  of what is left after post-processing, the way people get it
    precision, recall, f1           of the same at IoU .50, over the regions of all classes together

The second and third row are there where the table holds post-processed detections. An average precision is a mean over
all thresholds, so that applying one can hardly raise it: `map` compares detectors, `f1` tells what pages look like.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from distildoc.evaluate.layout_slices import class_slices, group_slices, layout_scores
from distildoc.evaluate.layout_table import LayoutTable
from distildoc.metrics.detection_curves import box_reliability
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage
from distildoc.schema.report import Report

PRIMARY = "map"


@dataclass(frozen=True)
class LayoutEvaluation:
    """A report, the regions it was made from, and the pages that could not be read."""

    report: Report
    table: LayoutTable
    failed: tuple[FailedPage, ...] = ()


def layout_report(
    table: LayoutTable, *, failed: int = 0, seed: int = 0, source: Mapping[str, str] | None = None
) -> Report:
    """The report of a table, such as one that was read back.

    reliability: of detections, at IoU .50. Raises InputError where no page has a region.
    """
    if not table.outcomes.true.any():
        raise InputError(f"no region on any of the {len(table)} pages: there is nothing to score")
    return Report(
        task="detection",
        labels=table.labels,
        pages=len(table),
        failed=failed,
        scores=layout_scores(table.outcomes, table.post_outcomes, seed=seed),
        slices=class_slices(table, seed=seed) | group_slices(table, seed=seed),
        confusion=(),
        reliability=tuple(box_reliability(table.outcomes)),
        risk_coverage=(),
        primary=PRIMARY,
        source={**(source or {}), "pages_hash": table.hash, "bootstrap_seed": str(seed)},
    )
