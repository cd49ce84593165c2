"""Scores of class probabilities in NumPy: pure functions of (probabilities [N, C], targets [N]), with intervals."""

from collections.abc import Mapping

from distildoc.metrics.accuracy import accuracies, accuracy, confusion, macro_f1, macro_f1s
from distildoc.metrics.bootstrap import Difference, intervals, paired_difference
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
HIGHER_IS_BETTER = frozenset({"accuracy", "macro_f1", "recall", "precision", "f1"})  # the others are errors

__all__ = [
    "HIGHER_IS_BETTER",
    "SCORES",
    "Difference",
    "Outcomes",
    "Score",
    "accuracy",
    "aurc",
    "aurc_trapezoid",
    "brier",
    "confusion",
    "ece",
    "ece_equal_mass",
    "intervals",
    "macro_f1",
    "nll",
    "outcomes",
    "paired_difference",
    "reliability",
    "risk_coverage",
]
