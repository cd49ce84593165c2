"""Risk and coverage: what remains wrong when the least sure pages are set aside.

Sort pages by confidence (largest probability). Keeping the k most confident gives coverage k / N and selective risk
errors / k. The area under that curve (AURC) is low when confidence ranks errors last; 0 is perfect.

Plain functions take probabilities [N, C] and targets [N]; those in the plural take outcomes and counts [R, N].
Pages of equal confidence enter together, so no score depends on the order of the pages.
"""

import numpy as np
from numpy.typing import NDArray

from distildoc.metrics.outcomes import Floats, Outcomes, Probabilities, drawn_pages, once, outcomes
from distildoc.schema.report import RiskPoint


def aurc(probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """Mean over k = 1..N of the selective risk of the k most confident pages, 0..1.

    Geifman et al. 2019, arXiv:1805.08206, section 2. Among pages of equal confidence the expectation over their
    orders is taken.

    >>> aurc(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
    0.25
    """
    return once(aurcs, probabilities, targets)


def aurc_trapezoid(probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """Trapezoid under the curve from coverage 1 down to 1 / N: the number in the DistilDoc paper and older FD-Shifts.

    Jaeger et al. 2023, arXiv:2211.15259. It spans a width of (N - 1) / N, so a model that is always wrong scores
    that and not 1. Of pages with equal confidence the curve has one point, after the last; the paper's code puts it
    after the first, which depends on their order. Below the coverage of the most confident group the curve is level.
    """
    return once(aurcs_trapezoid, probabilities, targets)


def risk_coverage(probabilities: Probabilities, targets: NDArray[np.int64], *, most: int = 200) -> list[RiskPoint]:
    """Points of the curve from coverage 1 down, thinned evenly to at most `most`; both ends are kept."""
    found = outcomes(probabilities, targets)
    kept, errors = _kept(found, np.ones((1, len(found))))
    groups = np.flatnonzero(kept[0])[::-1]
    if len(groups) > most:
        groups = groups[np.unique(np.round(np.linspace(0, len(groups) - 1, most)).astype(np.int64))]
    return [RiskPoint(float(kept[0, g] / len(found)), float(errors[0, g] / kept[0, g])) for g in groups]


def aurcs(found: Outcomes, counts: Floats) -> Floats:
    """AURC of every draw [R].

    A group of m pages with share r of errors, behind K pages with E errors, adds
    sum over j = 1..m of (E + r j) / (K + j) = r m + (E - r K) (H(K + m) - H(K)), H the harmonic numbers.
    """
    kept, errors = _kept(found, counts)
    before, wrong = _shifted(kept), _shifted(errors)
    size = kept - before
    share = np.divide(errors - wrong, size, out=np.zeros_like(size), where=size > 0)
    pages = drawn_pages(counts)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int(pages.max()) + 1))])
    steps = harmonic[kept.astype(np.int64)] - harmonic[before.astype(np.int64)]
    total: Floats = errors[:, -1] + ((wrong - share * before) * steps).sum(1)
    return total / pages


def aurcs_trapezoid(found: Outcomes, counts: Floats) -> Floats:
    """Trapezoid AURC of every draw [R]."""
    kept, errors = _kept(found, counts)
    pages = drawn_pages(counts)
    risk = np.divide(errors, kept, out=np.zeros_like(kept), where=kept > 0)
    before, earlier = _shifted(kept), _shifted(risk)
    first = (before == 0) & (kept > 0)
    # groups a draw left out have width 0; the first one drawn is level from coverage 1 / N to its own
    area = np.where(first, (kept - 1) * risk, (kept - before) * (risk + earlier) / 2)
    total: Floats = area.sum(1)
    return total / pages


def _kept(found: Outcomes, counts: Floats) -> tuple[Floats, Floats]:
    """Pages and errors among them once each group of equal confidence is in, most confident first, both [R, G]."""
    confidence = found.confidence[found.falling]
    last = np.append(np.flatnonzero(np.diff(confidence)), len(confidence) - 1)
    drawn = counts[:, found.falling]
    errors = np.cumsum(drawn * (1 - found.hits[found.falling]), axis=1)
    return np.cumsum(drawn, axis=1)[:, last], errors[:, last]


def _shifted(values: Floats) -> Floats:
    return np.concatenate([np.zeros((len(values), 1)), values[:, :-1]], axis=1)
