"""What a model card says of abstaining: thresholds for error rates, and risk by coverage."""

from distildoc.predict.abstaining import SURE, upper_bound
from distildoc.schema.selective import OperatingPoint, SelectiveCurve

TARGETS = (0.01, 0.02, 0.05, 0.1)  # error rates
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
HEAD = "threshold | coverage | answered | wrong | error rate | 95 % upper bound |\n|---|---|---|---|---|---|---|"


def abstaining_text(curve: SelectiveCurve | None, noun: str = "pages") -> str:
    """A section of the card; empty where the bundle has no curve. The noun is what it classifies."""
    if curve is None:
        return ""
    targets = "\n".join(_target_row(curve, rate) for rate in TARGETS)
    points = {_at_least(curve, share): share for share in reversed(COVERAGES)}
    rows = "\n".join(_row(f"{100 * share:g} %", curve, point) for point, share in reversed(points.items()))
    return (
        f"## Abstaining\n\nOn the {curve.pages} validation {noun}, answering only from a threshold of confidence on. "
        f"`distildoc predict --max-error 0.02` does so. These {noun} chose the thresholds, so the rates are a little "
        "optimistic; the bound is exact (Clopper-Pearson, one-sided) for a threshold fixed beforehand. It holds for "
        f"{noun} like them.\n\n| wanted error rate | {HEAD}\n{targets}\n\n| coverage of at least | {HEAD}\n{rows}"
    )


def _target_row(curve: SelectiveCurve, rate: float) -> str:
    point = next((point for point in curve.points if point.rate <= rate), None)
    return _row(f"{rate:.0%}", curve, point) if point else f"| {rate:.0%} | not reached | | | | | |"


def _at_least(curve: SelectiveCurve, share: float) -> OperatingPoint:
    return next(point for point in reversed(curve.points) if point.answered >= share * curve.pages)


def _row(first: str, curve: SelectiveCurve, point: OperatingPoint) -> str:
    bound = upper_bound(point.errors, point.answered, sure=SURE)
    return (
        f"| {first} | {point.threshold:g} | {curve.coverage(point):.1%} | {point.answered:,} | {point.errors:,} | "
        f"{point.rate:.2%} | {bound:.2%} |"
    )
