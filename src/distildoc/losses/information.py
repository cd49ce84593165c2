"""How much a layer says about the class: quadratic mutual information under the cosine kernel, from sums by class.

    I(x; C) = V_in + V_all - 2 V_between                                   of pairwise kernels k_c of N pages
            = 1/(2 N^2) sum_c || S_c - (N_c / N) S ||^2                    S_c: sum of the class's unit vectors

The two lines are equal, because k_c = (<u, v> + 1) / 2 is an inner product and its constant part cancels; so pages can
be added one batch after the other, and no N x N matrix is made. The three potentials are those of Torkkola 2003,
"Feature extraction by non-parametric mutual information maximization". 0 where the layer does not tell classes apart,
at most 1 / (2 C) for C even classes. It is no Shannon information: only its order and its differences mean something.
"""

import torch
from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import full
from distildoc.losses.probabilistic import SMALLEST_NORM


def class_sums(features: Tensor, label: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Sums of the unit vectors of features [B, ...], flattened, by class, [C, D]; and pages by class, [C].

    Pages with a negative label (unknown) are left out. In fp64, as sums over many pages are to be subtracted.
    """
    known = label >= 0
    unit = functional.normalize(full(features).flatten(1)[known].double(), dim=1, eps=SMALLEST_NORM)
    sums = unit.new_zeros(classes, unit.shape[1]).index_add(0, label[known], unit)
    return sums, torch.bincount(label[known], minlength=classes).double()


def quadratic_information(sums: Tensor, counts: Tensor) -> Tensor:
    """I(x; C) from the sums [C, D] and counts [C] of `class_sums`, added over batches; 0 without pages."""
    pages = counts.sum().clamp(min=1)
    return (sums - (counts / pages)[:, None] * sums.sum(0)).square().sum() / (2 * pages**2)
