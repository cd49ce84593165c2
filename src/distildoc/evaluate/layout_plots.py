"""Plots of one layout evaluation: average precision by class, precision and recall, reliability of the scores."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from distildoc.evaluate.layout_report import LayoutEvaluation
from distildoc.evaluate.plots import BLUE, GREY, PALE, plain, score_title, short
from distildoc.metrics.detection_curves import precision_recall

COLUMNS = 4  # of small plots side by side


def class_figure(evaluation: LayoutEvaluation) -> Figure:
    """AP and AP50 of every class that has regions, with the interval of AP, from the best down."""
    report = evaluation.report
    true = dict(zip(report.labels, evaluation.table.outcomes.true.sum(0), strict=True))
    scores = {label: found for label in report.labels if "ap" in (found := report.slices[f"class: {label}"])}
    names = sorted(scores, key=lambda label: scores[label]["ap"].value)
    figure = Figure(figsize=(6.4, 1.6 + 0.36 * len(names)), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(names))
    values = np.array([scores[name]["ap"].value for name in names])
    ends = np.array([[scores[name]["ap"].low, scores[name]["ap"].high] for name in names])
    axes.barh(rows, [scores[name]["ap50"].value for name in names], color=PALE, height=0.72, label="AP50")
    axes.barh(rows, values, color=BLUE, height=0.42, label="AP@[.50:.95], 95 % interval")
    axes.hlines(rows, ends[:, 0], ends[:, 1], color="#222222", linewidth=1.2)
    axes.set_yticks(rows, [f"{short(name)}  ({true[name]:,.0f})" for name in names])
    axes.set(xlim=(0, 1), ylim=(-0.6, len(names) - 0.4), xlabel="average precision (regions of the class)")
    figure.legend(loc="outside lower right", ncols=2, frameon=False, fontsize="small")
    axes.set_title(score_title(report, "map", "mAP"), loc="left", fontsize="medium")
    plain(axes)
    return figure


def precision_recall_figure(evaluation: LayoutEvaluation) -> Figure:
    """The largest precision at each recall, at IoU .50 and .75, a small plot for every class that has regions."""
    outcomes = evaluation.table.outcomes
    columns = np.flatnonzero(outcomes.true.sum(0))
    across = min(COLUMNS, len(columns))
    down = math.ceil(len(columns) / across)
    figure = Figure(figsize=(0.6 + 2.1 * across, 0.8 + 1.9 * down), layout="constrained")
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(columns) :]:
        axes.set_visible(False)
    for axes, column in zip(grid.flat, columns.tolist(), strict=False):
        for iou, style, colour in ((0, "-", BLUE), (5, "--", GREY)):
            recalls, precisions = precision_recall(outcomes, column, iou=iou)
            axes.plot(recalls, precisions, style, color=colour, linewidth=1.6 if iou == 0 else 1.2)
        axes.set(xlim=(0, 1), ylim=(0, 1.03))
        axes.set_title(
            f"{short(outcomes.labels[column], 18)}  {outcomes.whole[0, column]:.2f}", fontsize="small", loc="left"
        )
        axes.tick_params(labelbottom=True, labelsize="x-small")
        plain(axes)
    figure.supxlabel("recall", fontsize="medium")
    figure.supylabel("precision", fontsize="medium")
    figure.suptitle(
        "Precision and recall, AP50 beside the name\nIoU .50 blue, .75 dashed", fontsize="medium", x=0.02, ha="left"
    )
    return figure


def score_figure(evaluation: LayoutEvaluation) -> Figure:
    """Share of detections that hit at IoU .50 against their score, and how many there are."""
    figure = Figure(figsize=(5.2, 5.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    bins = evaluation.report.reliability
    left, width = [b.low for b in bins], [b.high - b.low for b in bins]
    share = [b.accuracy for b in bins]
    upper.bar(left, share, width, align="edge", color=PALE, edgecolor="white", label="share of hits in the bin")
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2, label="score = share of hits")
    means = [b.confidence for b in bins]
    upper.plot(means, share, "o-", color=BLUE, markersize=4, linewidth=1, label="at its mean score")
    upper.set(ylim=(0, 1.03), xlim=(0, 1), ylabel="hits at IoU .50, share")
    upper.legend(loc="upper left", frameon=True, framealpha=0.9, edgecolor="none", fontsize="small")
    upper.set_title("Reliability of the scores", loc="left", fontsize="medium")
    lower.bar(left, [b.pages for b in bins], width, align="edge", color=GREY, edgecolor="white", log=True)
    lower.set(ylabel="detections", xlabel="score of a detection, before post-processing")
    lower.yaxis.set_major_locator(LogLocator(numticks=4))
    lower.yaxis.set_minor_formatter(NullFormatter())
    plain(upper, lower)
    return figure


LAYOUT_FIGURES: Mapping[str, Callable[[LayoutEvaluation], Figure]] = {
    "classes": class_figure,
    "precision_recall": precision_recall_figure,
    "scores": score_figure,
}
