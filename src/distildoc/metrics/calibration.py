"""Proper scores and calibration: negative log-likelihood, Brier score, expected calibration error in two forms.

Plain functions take probabilities [N, C] and targets [N]; those in the plural take outcomes and counts [R, N].
"""

import numpy as np
from numpy.typing import NDArray

from distildoc.metrics.outcomes import Floats, Integers, Outcomes, Probabilities, drawn_pages, once, outcomes
from distildoc.schema.report import ReliabilityBin

SMALLEST = 1e-12  # probabilities are raised to it before the logarithm, so that one page costs at most 27.6 nats
BINS = 15  # Guo et al. 2017, arXiv:1706.04599, section 2
PAPER_BINS = 100  # spec of the DistilDoc paper's metric: min(N - 1, 100) bins


def nll(probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """Mean of -log p(true class), in nats, of probabilities raised to 1e-12; 0 is perfect."""
    return once(nlls, probabilities, targets)


def brier(probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """Mean over pages of sum over classes of (p - 1[true])^2: the multi-class sum form, 0..2.

    Brier 1950, "Verification of forecasts expressed in terms of probability".

    >>> brier(np.array([[0.0, 1.0]]), np.array([0]))
    2.0
    """
    return once(briers, probabilities, targets)


def ece(probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """Expected calibration error of the most probable class, 0..1.

        ECE = sum_b n_b / N * |accuracy_b - mean confidence_b|

    over 15 bins (a, b] of equal width; an empty bin counts nothing. Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    return once(eces, probabilities, targets)


def ece_equal_mass(probabilities: Probabilities, targets: NDArray[np.int64]) -> float:
    """ECE as the DistilDoc paper takes it: equal-mass bins, compared with their upper edges, 0..1.

        ECE = sum_b n_b / N * |accuracy_b - edge_b|

    The confidences in order are cut into min(N - 1, 100) groups whose sizes differ by at most one, larger ones first;
    the edge of a group is its largest confidence, and a page belongs to the first edge not below its confidence, so
    that equal confidences are never parted. A perfectly calibrated model does not score 0: the edge is above the mean.
    """
    return once(eces_equal_mass, probabilities, targets)


def reliability(probabilities: Probabilities, targets: NDArray[np.int64], *, bins: int = BINS) -> list[ReliabilityBin]:
    """The equal-width bins that hold pages, from the least to the most confident."""
    found = outcomes(probabilities, targets)
    edges = np.linspace(0, 1, bins + 1)
    numbers = _equal_width(found.confidence, bins)
    result = []
    for number in np.unique(numbers):
        rows = numbers == number
        confidence, right = found.confidence[rows].mean(), found.hits[rows].mean()
        low, high = float(edges[number]), float(edges[number + 1])
        result.append(ReliabilityBin(low, high, int(rows.sum()), float(confidence), float(right)))
    return result


def nlls(found: Outcomes, counts: Floats) -> Floats:
    """Negative log-likelihood of every draw [R]."""
    true = found.probabilities[np.arange(len(found)), found.targets]
    total: Floats = counts @ -np.log(np.clip(true, SMALLEST, 1.0))
    return total / drawn_pages(counts)


def briers(found: Outcomes, counts: Floats) -> Floats:
    """Brier score of every draw [R]."""
    true = found.targets[:, None] == np.arange(found.classes)
    total: Floats = counts @ ((found.probabilities - true) ** 2).sum(1)
    return total / drawn_pages(counts)


def eces(found: Outcomes, counts: Floats) -> Floats:
    """Equal-width ECE of every draw [R]."""
    members = _equal_width(found.confidence, BINS)[:, None] == np.arange(BINS)
    gaps: Floats = counts @ (members * (found.hits - found.confidence)[:, None])
    total: Floats = np.abs(gaps).sum(1)
    return total / drawn_pages(counts)


def eces_equal_mass(found: Outcomes, counts: Floats) -> Floats:
    """The paper's ECE of every draw [R]; bins are drawn up anew for each."""
    rising = found.falling[::-1]
    confidence, hits = found.confidence[rising], found.hits[rising]
    return np.array([_paper_ece(np.repeat(confidence, row), np.repeat(hits, row)) for row in _whole(counts[:, rising])])


def _paper_ece(confidence: Floats, hits: Floats) -> float:
    """Of pages in order of rising confidence."""
    pages = len(confidence)
    bins = max(1, min(pages - 1, PAPER_BINS))
    size, larger = divmod(pages, bins)
    ends = np.cumsum(np.full(bins, size) + (np.arange(bins) < larger))
    edges = np.unique(confidence[ends - 1])
    upto = np.searchsorted(confidence, edges, side="right")
    right = np.concatenate([[0.0], np.cumsum(hits)])[np.concatenate([[0], upto])]
    return float(np.abs(np.diff(right) - edges * np.diff(upto, prepend=0)).sum() / pages)


def _equal_width(confidence: Floats, bins: int) -> Integers:
    """Bin (a, b] of every confidence; 0 belongs to the first."""
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence, side="left").astype(np.int64)


def _whole(counts: Floats) -> Integers:
    return counts.astype(np.int64)
