"""Plots of one report: reliability, risk and coverage, confusion. Drawn without a display or global state."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from distildoc.schema.report import Report
from distildoc.schema.writing import new_file

BLUE, PALE, GREY = "#0072B2", "#BFDDEF", "#6b6b6b"  # one hue and its tint: no meaning hangs on colour alone
DPI = 144
MOST_COUNTS = 24  # classes up to which the cells of the confusion matrix carry their numbers


def reliability_figure(report: Report) -> Figure:
    """Accuracy against confidence in bins of equal width, and how many pages each bin holds."""
    figure = Figure(figsize=(5.2, 5.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    bins = report.reliability
    left, width = [b.low for b in bins], [b.high - b.low for b in bins]
    accuracy = [b.accuracy for b in bins]
    upper.bar(left, accuracy, width, align="edge", color=PALE, edgecolor="white", label="accuracy of the bin")
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2, label="confidence = accuracy")
    upper.plot(
        [b.confidence for b in bins],
        accuracy,
        "o-",
        color=BLUE,
        markersize=4,
        linewidth=1,
        label="at its mean confidence",
    )
    upper.set(ylim=(0, 1.03), xlim=(0, 1), ylabel="accuracy")
    upper.legend(loc="upper left", frameon=True, framealpha=0.9, edgecolor="none", fontsize="small")
    upper.set_title(f"Reliability   {score_title(report, 'ece', 'ECE')}", loc="left", fontsize="medium")
    lower.bar(left, [b.pages for b in bins], width, align="edge", color=GREY, edgecolor="white")
    lower.set(ylabel="pages", xlabel="confidence: probability of the predicted class")
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    plain(upper, lower)
    return figure


def risk_coverage_figure(report: Report) -> Figure:
    """Share of errors among the pages kept, as the least sure are set aside."""
    figure = Figure(figsize=(5.2, 4.0), layout="constrained")
    axes = figure.subplots()
    coverage, risk = [p.coverage for p in report.risk_coverage], [p.risk for p in report.risk_coverage]
    axes.axhline(risk[0], color=GREY, linestyle="--", linewidth=1, label=f"all pages kept: {risk[0]:.1%} errors")
    marker = "o" if len(risk) < 5 else None
    axes.plot(coverage, risk, color=BLUE, linewidth=1.8, marker=marker, label="least sure pages set aside")
    top = max(0.02, 1.15 * max(risk))
    axes.set(xlim=(0, 1.01), ylim=(-0.02 * top, top))
    axes.set(xlabel="coverage: share of pages kept", ylabel="risk: share of errors among them")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1 if top < 0.1 else 0))
    axes.legend(loc="best", frameon=False, fontsize="small")
    axes.set_title(f"Risk and coverage   {score_title(report, 'aurc', 'AURC')}", loc="left", fontsize="medium")
    plain(axes)
    return figure


def confusion_figure(report: Report) -> Figure:
    """Counts, coloured by their share of the true class."""
    counts = np.array(report.confusion)
    share = counts / np.maximum(1, counts.sum(1, keepdims=True))
    names = [short(label) for label in report.labels]
    side = min(14.0, 2.6 + 0.42 * len(names))
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    positions = range(len(names))
    axes.set_xticks(positions, names, rotation=90 if len(names) > 6 else 45, ha="center" if len(names) > 6 else "right")
    if len(names) <= 6:
        axes.tick_params(axis="x", pad=2)
        for text in axes.get_xticklabels():
            text.set_rotation_mode("anchor")
    axes.set_yticks(positions, names)
    axes.set(xlabel="predicted class", ylabel="true class")
    if len(names) <= MOST_COUNTS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if share[row, column] > 0.55 else "#222222"
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize="small")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, format=PercentFormatter(1, decimals=0))
    bar.set_label("share of the true class")
    axes.set_title(f"Confusion of {report.pages} pages", loc="left", fontsize="medium")
    return figure


FIGURES = {
    "reliability": reliability_figure,
    "risk_coverage": risk_coverage_figure,
    "confusion": confusion_figure,
}


def write_figure(figure: Figure, path: Path) -> None:
    """PNG at 144 dots an inch, whole or not at all."""
    with new_file(path) as part:
        FigureCanvasAgg(figure).print_figure(part, format="png", dpi=DPI)


def plain(*all_axes: Axes) -> None:
    """Without the lines above and at the right."""
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)


def score_title(report: Report, name: str, title: str) -> str:
    """A score with its interval as text; empty where it was not measured."""
    score = report.scores.get(name)
    return "" if score is None else f"{title} {score.value:.3f} (95 %: {score.low:.3f} to {score.high:.3f})"


def short(label: str, most: int = 24) -> str:
    """A name cut to fit beside an axis."""
    return label if len(label) <= most else label[: most - 1] + "…"
