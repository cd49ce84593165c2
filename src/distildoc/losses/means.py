"""The mean over the pages that count."""

import torch
from torch import Tensor


def mean_where(values: Tensor, rows: Tensor) -> Tensor:
    """Mean of `values` [B] over the rows that are True in `rows` [B]; 0, with zero gradient, where none is.

    >>> mean_where(torch.tensor([1.0, 5.0, 3.0]), torch.tensor([True, False, True])).item()
    2.0
    >>> mean_where(torch.tensor([7.0]), torch.tensor([False])).item()
    0.0
    """
    return torch.where(rows, values, torch.zeros_like(values)).sum() / rows.sum().clamp(min=1)
