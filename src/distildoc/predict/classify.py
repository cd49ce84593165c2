"""From logits to classes, in NumPy."""

import numpy as np
from numpy.typing import NDArray

from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Classification


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """[B, C] logits to probabilities; rows sum to 1.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]], np.float32)).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    powers = np.exp(logits - logits.max(1, keepdims=True))
    probabilities: NDArray[np.float32] = powers / powers.sum(1, keepdims=True)
    return probabilities


def classified(
    page: Page, labels: tuple[str, ...], probabilities: NDArray[np.float32], *, threshold: float | None = None
) -> Classification | FailedPage:
    """The prediction for a page; a network that gave no finite numbers has failed on it."""
    if not np.isfinite(probabilities).all():
        reason = f"{page.id}: the network gave numbers that are not finite"
        return FailedPage(page.id, page.source, page.number, reason)
    return Classification(page, labels, probabilities, threshold)
