"""Where a classifier answers and where it abstains: a threshold of confidence for a wanted error rate.

Without `sure` the threshold is the one with the largest coverage whose pages had at most that error rate among the
validation pages. Being chosen on them it is a little optimistic, and its bound speaks of a threshold fixed beforehand.

With `sure` the rate holds with that probability on pages like them, selection with guaranteed risk: of k thresholds
that are set before errors are looked at, at evenly spaced coverages, a threshold passes where the upper bound of its
error rate at 1 - (1 - sure) / k is at most the rate, and the one with the largest coverage is taken.

    Geifman & El-Yaniv 2017, arXiv:1705.08500, lemma 3.1 and theorem 3.2

They bisect over the m pages and correct for the log2 m thresholds on the path; we correct for all of our k, at most 40.
That costs a little coverage, needs no assumption about the thresholds beside the path, and cannot miss one that passes
because fewer pages, of which less is known, do not.
"""

from dataclasses import dataclass

import numpy as np

from distildoc.schema.errors import InputError
from distildoc.schema.selective import OperatingPoint, SelectiveCurve

SURE = 0.95  # of the bound of a threshold that was chosen by its plain rate
HALVINGS = 60  # of the range of an error rate, down to rounding


@dataclass(frozen=True)
class Choice:
    """The threshold for a wanted error rate, and what it rests on.

    pages       validation pages, of which `point` says how many were answered and how many of these wrongly.
    bound       upper bound of the error rate of answered pages, at the confidence level `sure`.
    guaranteed  whether the threshold was chosen by that bound.
    """

    point: OperatingPoint
    pages: int
    bound: float
    sure: float
    guaranteed: bool


def chosen(curve: SelectiveCurve, max_error: float, *, sure: float | None = None) -> Choice:
    """The choice for an error rate; raises InputError for one that is out of range or that no threshold reaches."""
    check_wanted(max_error, sure)
    if sure is None:
        point = next((point for point in curve.points if point.rate <= max_error), None)
        if point is None:
            raise InputError(_unreached(curve, max_error))
        return Choice(point, curve.pages, upper_bound(point.errors, point.answered, sure=SURE), SURE, False)
    points = curve.even()
    bounds = [upper_bound(point.errors, point.answered, sure=1 - (1 - sure) / len(points)) for point in points]
    passed = next((place for place, bound in enumerate(bounds) if bound <= max_error), None)
    if passed is None:
        least = bounds.index(min(bounds))
        raise InputError(_never_sure(curve, max_error, sure, least=points[least], bound=bounds[least]))
    return Choice(points[passed], curve.pages, bounds[passed], sure, True)


def check_wanted(max_error: float | None, sure: float | None) -> None:
    """Raises InputError for an error rate or a certainty out of range, or a certainty of nothing."""
    if max_error is None and sure is not None:
        raise InputError(f"being {sure:g} sure is about an error rate: name one as well, as in --max-error 0.02")
    if max_error is not None and not 0 <= max_error <= 1:
        raise InputError(f"error rate {max_error:g}: write a share from 0 to 1, as in 0.02 for 2 %")
    if sure is not None and not 0 < sure < 1:
        raise InputError(f"being {sure:g} sure: write a probability above 0 and below 1, as in 0.95")


def upper_bound(errors: int, pages: int, *, sure: float) -> float:
    """One-sided upper bound of an error rate after `errors` of `pages`, at the confidence level `sure`; exact.

        the rate p where P(at most `errors` of `pages`) = 1 - sure, and 1 where every page was wrong

    Clopper & Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial".

    >>> round(upper_bound(0, 59, sure=0.95), 4)
    0.0495
    """
    if errors == pages:
        return 1.0
    wrong = np.arange(errors + 1)
    ways = np.concatenate([[0.0], np.log((pages - wrong[:-1]) / wrong[1:]).cumsum()])
    low, high = errors / pages, 1.0
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        logs = ways + wrong * np.log(rate) + (pages - wrong) * np.log1p(-rate)
        if np.logaddexp.reduce(logs) > np.log1p(-sure):
            low = rate
        else:
            high = rate
    return float(high)


def _unreached(curve: SelectiveCurve, max_error: float) -> str:
    least = min(curve.points, key=lambda point: point.rate)
    return (
        f"error rate {max_error:g}: no threshold reaches it on the {curve.pages} validation pages; the least is "
        f"{least.rate:.4f}, {_where(curve, least)}"
    )


def _never_sure(curve: SelectiveCurve, max_error: float, sure: float, *, least: OperatingPoint, bound: float) -> str:
    return (
        f"error rate {max_error:g}, {sure:g} sure: the {curve.pages} validation pages cannot promise it at any "
        f"coverage; the least they promise is {bound:.4f}, {_where(curve, least)}"
    )


def _where(curve: SelectiveCurve, point: OperatingPoint) -> str:
    return f"at coverage {curve.coverage(point):.2f} ({point.errors} wrong of {point.answered} answered)"
