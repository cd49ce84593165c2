"""Retrieval: pages that ask for pages of their class, and how well the order of a database answers.

    AP = (1/R) sum_{r <= N} [page r is relevant] (relevant pages among the first r) / r        R: relevant pages in all
    precision@k = (relevant pages among the first k) / k

Scores are means over queries with percentile-bootstrap intervals over queries; the database stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from distildoc.metrics.bootstrap import RESAMPLES, intervals
from distildoc.metrics.outcomes import Floats
from distildoc.schema.report import Score

SMALLEST_NORM = 1e-12  # a vector shorter than this has no direction
Distance = Callable[[Floats, Floats], Floats]  # [Q, D] and [N, D] to [Q, N]


@dataclass(frozen=True, eq=False)
class Vectors:
    """Pages as vectors: ids [N], classes [N] (whole numbers), rows [N, D]."""

    ids: tuple[str, ...]
    classes: NDArray[np.int64]
    rows: Floats

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Answered:
    """Of every query that has a page to find, [Q]: its page, its average precision, its precision at each k."""

    ids: tuple[str, ...]
    average_precision: Floats
    precision: Mapping[int, Floats]

    def __len__(self) -> int:
        return len(self.ids)

    def same_pages(self, other: "Answered") -> bool:
        return self.ids == other.ids


def cosine_distance(queries: Floats, database: Floats) -> Floats:
    """1 - cos, 0..2; 1 to a row of zeros."""
    return np.asarray(1 - _unit(queries) @ _unit(database).T)


def euclidean_distance(queries: Floats, database: Floats) -> Floats:
    """Squared, which orders pages alike; rounding below zero becomes zero."""
    squares = (queries**2).sum(1)[:, None] + (database**2).sum(1)
    return np.asarray(np.maximum(squares - 2 * queries @ database.T, 0))


DISTANCES: Mapping[str, Distance] = {"cosine": cosine_distance, "euclidean": euclidean_distance}


def answered(queries: Vectors, database: Vectors, *, distance: Distance, at: Sequence[int]) -> Answered:
    """Every query against the whole database, without the query's own page where that is in it.

    Pages at the same distance come in the order of the database. Queries without any page of their class are left out.
    Raises ValueError for a k that is below 1 or beyond the database.
    """
    own = np.asarray(queries.ids)[:, None] == np.asarray(database.ids)
    smallest = len(database) - int(own.sum(1).max(initial=0))
    if bad := [k for k in at if not 1 <= k <= smallest]:
        raise ValueError(f"precision at {bad} wants as many pages to find, and the database has {smallest} others")
    order = np.argsort(np.where(own, np.inf, distance(queries.rows, database.rows)), axis=1, kind="stable")
    relevant = (queries.classes[:, None] == database.classes) & ~own
    found = np.take_along_axis(relevant, order, axis=1)
    kept = np.flatnonzero(found.any(1))
    found = found[kept]
    first = found.cumsum(1)
    precisions = first / np.arange(1, len(database) + 1)
    average = (precisions * found).sum(1) / found.sum(1)
    return Answered(tuple(queries.ids[i] for i in kept), average, {k: precisions[:, k - 1] for k in at})


def retrieval(found: Answered, *, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Score]:
    """`map` and `precision@k` with their intervals over queries; nothing where there is no query."""
    scores = {"map": maps} | {f"precision@{k}": partial(precisions_at, k=k) for k in found.precision}
    return intervals(found, scores, seed=seed, resamples=resamples) if len(found) else {}


def maps(found: Answered, counts: Floats) -> Floats:
    """Mean average precision, 0..1, of every draw [R] with counts [R, Q]."""
    return np.asarray(counts @ found.average_precision / counts.sum(1))


def precisions_at(found: Answered, counts: Floats, *, k: int) -> Floats:
    """Mean precision at k, 0..1, of every draw [R] with counts [R, Q]."""
    return np.asarray(counts @ found.precision[k] / counts.sum(1))


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), SMALLEST_NORM))
