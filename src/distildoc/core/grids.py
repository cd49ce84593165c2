"""Tokens and maps: one shape for features of CNNs and transformers."""

import math

from torch import Tensor


def grid_shape(tokens: int, aspect: float) -> tuple[int, int]:
    """(rows, columns) of a patch grid of so many tokens on a page with aspect = height / width.

    >>> grid_shape(96, 1.5)
    (12, 8)
    """
    exact = math.sqrt(tokens * aspect)
    candidates = [rows for rows in range(1, tokens + 1) if tokens % rows == 0]
    rows = min(candidates, key=lambda r: abs(r - exact))
    return rows, tokens // rows


def as_map(feature: Tensor, *, skip: int = 0, aspect: float = 1.0) -> Tensor:
    """[B, N, D] tokens (after `skip` leading ones) or [B, C, H, W] maps or [B, D] vectors to [B, C, H, W].

    `aspect` is height / width of the page, to lay tokens out on a grid.
    """
    if feature.ndim == 4:
        return feature
    if feature.ndim == 2:
        return feature[:, :, None, None]
    if feature.ndim != 3:
        raise ValueError(f"a feature has 2, 3 or 4 axes, not shape {tuple(feature.shape)}")
    patches = feature[:, skip:]
    rows, columns = grid_shape(patches.shape[1], aspect)
    return patches.transpose(1, 2).reshape(feature.shape[0], feature.shape[2], rows, columns)
