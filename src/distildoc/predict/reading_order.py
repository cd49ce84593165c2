"""The order in which people read the regions of a page.

Two boxes that share columns are read from top to bottom. Of two that share none the left one comes first, unless a
third box lies between them in height and shares columns with both, as a heading across two columns does. The rest
follows by topological sorting. Page headers come first and footers last.

    Breuel 2003, "High performance document layout analysis", section 6; he orders lines of text, we order regions.

Boxes of a detector overlap a little, so two boxes share columns only where the overlap is above SHARED of the narrower
one. Contradictions that remain are broken by taking the highest, then leftmost, box. A table of N boxes costs N^3 bits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHARED = 0.2  # of the narrower box's width
FIRST, LAST = ("page_header",), ("page_footer",)  # kinds
MOST = 500  # boxes; above, pages are read from top to bottom (a network gives 300)


def reading_order(boxes: NDArray[np.floating], kinds: Sequence[str]) -> list[int]:
    """Positions in `boxes` ([N, 4] left, top, right, bottom, down the page) in the order they are read.

    >>> two_columns = np.array([[0, 0, 9, 1], [5, 2, 9, 3], [0, 2, 4, 3], [0, 4, 4, 5]])
    >>> reading_order(two_columns, ["title", "text", "text", "text"])
    [0, 2, 3, 1]
    """
    ranks = np.array([0 if kind in FIRST else 2 if kind in LAST else 1 for kind in kinds], dtype=np.int64)
    ordered: list[int] = []
    for rank in range(3):
        (chosen,) = np.nonzero(ranks == rank)
        ordered += [int(chosen[place]) for place in _sorted(boxes[chosen].astype(np.float64))]
    return ordered


def _sorted(boxes: NDArray[np.float64]) -> list[int]:
    """Topological order, the highest and leftmost box first among those that are free."""
    queue = sorted(range(len(boxes)), key=lambda place: (boxes[place, 1], boxes[place, 0]))
    if len(boxes) > MOST:
        return queue
    before = _before(boxes)
    ordered: list[int] = []
    while queue:
        free = [place for place in queue if not before[queue, place].any()]
        place = free[0] if free else queue[0]
        ordered.append(place)
        queue.remove(place)
    return ordered


def _before(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[N, N]: whether the first box is read before the second."""
    left, top, right, bottom = boxes.T
    middle = (top + bottom) / 2
    width = np.maximum(right - left, 1e-9)
    overlap = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    shared = overlap > SHARED * np.minimum.outer(width, width)
    np.fill_diagonal(shared, False)
    above = np.less.outer(middle, middle)
    beside = ~shared & np.less.outer(left + right, left + right)
    # [first, second, third]: the third lies between the two in height and shares columns with both
    lower, upper = np.minimum.outer(middle, middle), np.maximum.outer(middle, middle)
    between = (middle > lower[..., None]) & (middle < upper[..., None])
    parted = (between & shared[:, None, :] & shared[None, :, :]).any(2)
    found: NDArray[np.bool_] = (shared & above) | (beside & ~parted)
    np.fill_diagonal(found, False)
    return found
