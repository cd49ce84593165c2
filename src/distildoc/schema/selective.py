"""SelectiveCurve: how often a classifier was wrong on validation pages when it answered only where it was sure.

A page is answered where its confidence, the largest calibrated probability, is at least a threshold. Of all thresholds
the curve keeps those that a choice can fall on (metrics/selective.py): the largest coverage for an error rate, and
EVEN shares of the pages, which are fixed before any error is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

EVEN = 40  # shares of the pages, 1/40 to 40/40
MOST_POINTS = 1000
MOST_PAGES = 10**7


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold did on the validation pages: pages with at least that confidence, and errors among them."""

    threshold: float
    answered: int
    errors: int

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"a threshold is from 0 to 1, got {str(self.threshold)[:20]}")
        if not 1 <= self.answered <= MOST_PAGES or not 0 <= self.errors <= self.answered:
            raise ValueError(f"of at least one page answered some are wrong, got {self.errors} of {self.answered}")

    @property
    def rate(self) -> float:
        """Share of errors among the answered pages, 0..1."""
        return self.errors / self.answered


@dataclass(frozen=True)
class SelectiveCurve:
    """Operating points on `pages` validation pages, from the one that answers all of them to the most careful one."""

    pages: int
    points: tuple[OperatingPoint, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.points) <= MOST_POINTS:
            raise ValueError(f"a curve has 1 to {MOST_POINTS} points, got {len(self.points)}")
        if self.points[0].answered != self.pages:
            raise ValueError(f"the first point answers all {self.pages} pages, got {self.points[0].answered}")
        for point, careful in zip(self.points, self.points[1:], strict=False):
            dropped, mended = point.answered - careful.answered, point.errors - careful.errors
            if careful.threshold <= point.threshold or dropped < 1 or not 0 <= mended <= dropped:
                raise ValueError(f"a higher threshold answers fewer pages, got {careful} after {point}")

    def coverage(self, point: OperatingPoint) -> float:
        """Share of the pages that a point answers, 0..1."""
        return point.answered / self.pages

    def even(self) -> list[OperatingPoint]:
        """The most careful points that answer at least j / EVEN of the pages, for j from EVEN to 1, none twice.

        >>> curve = SelectiveCurve(8, (OperatingPoint(0.2, 8, 3), OperatingPoint(0.7, 7, 2), OperatingPoint(0.8, 6, 1)))
        >>> [point.answered for point in curve.even()]
        [8, 7, 6]
        """
        shares = [-(-self.pages * part // EVEN) for part in range(EVEN, 0, -1)]
        rising = self.points[::-1]
        return list(dict.fromkeys(next(point for point in rising if point.answered >= share) for share in shares))

    def to_json(self) -> dict[str, object]:
        """Plain values: each point is [threshold, answered, errors]."""
        return {"pages": self.pages, "points": [[p.threshold, p.answered, p.errors] for p in self.points]}


def curve_from_json(value: object, at: str) -> SelectiveCurve:
    """The curve in decoded JSON; raises ValueError that names the field and what is wrong with it."""
    if not isinstance(value, Mapping) or set(value) != {"pages", "points"}:
        raise ValueError(f"'{at}' must be an object with pages and points")
    pages, points = value["pages"], value["points"]
    if not _is_whole(pages) or not isinstance(points, list) or len(points) > MOST_POINTS:
        raise ValueError(f"'{at}' must have a number of pages and at most {MOST_POINTS} points")
    try:
        return SelectiveCurve(pages, tuple(map(_point, points)))
    except ValueError as error:
        raise ValueError(f"'{at}': {error}") from None


def _point(value: object) -> OperatingPoint:
    if not isinstance(value, list) or len(value) != 3 or not _is_whole(value[1]) or not _is_whole(value[2]):
        raise ValueError("a point must be [threshold, pages answered, errors]")
    if not isinstance(value[0], int | float) or isinstance(value[0], bool):
        raise ValueError("a threshold must be a number")
    point = OperatingPoint(value[0], value[1], value[2])
    return replace(point, threshold=float(point.threshold))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
