"""Scores in NumPy, with intervals: of class probabilities [N, C] for targets [N], and of found boxes for true ones."""

from collections.abc import Mapping

from distildoc.metrics.accuracy import accuracies, accuracy, confusion, macro_f1, macro_f1s
from distildoc.metrics.bootstrap import Difference, intervals, paired_difference, paired_difference_of_means
from distildoc.metrics.calibration import (
    brier,
    briers,
    ece,
    ece_equal_mass,
    eces,
    eces_equal_mass,
    nll,
    nlls,
    reliability,
)
from distildoc.metrics.detection import LAYOUT_SCORES, LayoutOutcomes, layout_outcomes
from distildoc.metrics.detection_curves import SHOWN_SCORES, best_thresholds
from distildoc.metrics.outcomes import Outcomes, Score, outcomes
from distildoc.metrics.risk_coverage import aurc, aurc_trapezoid, aurcs, aurcs_trapezoid, risk_coverage

SCORES: Mapping[str, Score] = {
    "accuracy": accuracies,
    "macro_f1": macro_f1s,
    "nll": nlls,
    "brier": briers,
    "ece": eces,
    "ece_equal_mass": eces_equal_mass,
    "aurc": aurcs,
    "aurc_trapezoid": aurcs_trapezoid,
}
HIGHER_IS_BETTER = frozenset(
    {
        "accuracy",
        "macro_f1",
        "recall",
        "precision",
        "f1",
        "map",
        "ap50",
        "ap75",
        "map_post",
        "ap50_post",
        "ap75_post",
        "ap",
    }
)  # the others are errors

__all__ = [
    "HIGHER_IS_BETTER",
    "LAYOUT_SCORES",
    "SCORES",
    "SHOWN_SCORES",
    "Difference",
    "LayoutOutcomes",
    "Outcomes",
    "Score",
    "accuracy",
    "aurc",
    "aurc_trapezoid",
    "best_thresholds",
    "brier",
    "confusion",
    "ece",
    "ece_equal_mass",
    "intervals",
    "layout_outcomes",
    "macro_f1",
    "nll",
    "outcomes",
    "paired_difference",
    "paired_difference_of_means",
    "reliability",
    "risk_coverage",
]
