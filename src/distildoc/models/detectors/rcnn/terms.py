"""Terms of a two-stage detector's loss: sums a page and what they are divided by, until it is known whose they are."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full
from distildoc.models.detectors.targets import rows_by_origin


@dataclass(frozen=True)
class Term:
    """total [B] sums over a page, share [B] what each page adds to the divisor."""

    total: Tensor
    share: Tensor

    def mean(self, rows: Tensor) -> Tensor:
        """Over some pages; 0, with a gradient path, where there is nothing to divide by."""
        return self.total[rows].sum() / self.share[rows].sum().clamp(min=1)


def summed(values: Tensor, page: Tensor, pages: int) -> Tensor:
    """[pages] from one value [N] each of the rows that `page` [N] assigns to pages."""
    return torch.zeros(pages, dtype=values.dtype, device=values.device).index_add(0, page, values)


def counted(page: Tensor, pages: int) -> Tensor:
    """Rows of each page, [pages] float."""
    return torch.bincount(page, minlength=pages).float()


def losses_of(terms: Mapping[str, Term], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Scalars `loss/NAME` over pages of TRUE origin, and `pseudo/NAME` over those of PSEUDO origin if there are any."""
    found = rows_by_origin(targets)
    return {f"{prefix}/{name}": term.mean(rows) for prefix, rows in found.items() for name, term in terms.items()}


def class_term(logits: Tensor, wanted: Tensor, page: Tensor, pages: int) -> Term:
    """Cross-entropy over classes and background, both [N, C + 1], divided by the number of boxes."""
    values = functional.cross_entropy(full(logits), wanted, reduction="none")
    return Term(summed(values, page, pages), counted(page, pages))


def absolute(first: Tensor, second: Tensor) -> Tensor:
    """Sum of the four absolute differences, [N] (Detectron2's smooth L1 with its corner at 0)."""
    return (full(first) - full(second)).abs().sum(-1)
