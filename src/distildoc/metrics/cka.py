"""Linear CKA: how alike the features of two networks are on the same pages, whatever their widths.

    CKA(K, L) = <K', L'> / (||K'|| ||L'||)

of the Gram matrices K = X X^T and L = Y Y^T [N, N] of features [N, D] and [N, E], centred: K' = H K H with
H = I - 1/N. Kornblith et al. 2019, arXiv:1905.00414. Rotating all features, or scaling them together,
changes nothing; scaling one of them does.

With fewer pages than features the plain form comes out high even for unrelated networks. `cka_debiased` takes the
unbiased estimate of the inner product instead (Song et al. 2012, "Feature selection via dependence maximization"; used
so by Nguyen et al. 2021, arXiv:2010.15327): the same cosine, of matrices whose diagonal is set aside.

Features that are the same on every page resemble nothing: both are NaN.
"""

import numpy as np
from numpy.typing import NDArray

from distildoc.metrics.outcomes import Floats

LEAST_PAGES = 4  # that the unbiased estimate divides by N (N - 3)


def gram(features: NDArray[np.float32] | Floats) -> Floats:
    """Inner products [N, N] in float64 of features [N, D] less those of the first page.

    CKA does not see the shift; features that are the same on every page come out exactly 0. Raises ValueError for
    features of another shape, or that are not finite.
    """
    values = np.array(features, np.float64)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"finite features [N, D] are wanted, got {values.shape}")
    values -= values[0].copy()
    return np.asarray(values @ values.T)


def cka(first: Floats, second: Floats) -> float:
    """Linear CKA of two Gram matrices [N, N] of the same pages, 0..1; NaN where one is of constant features."""
    _check(first, second, least=2)
    return _cosine(_centred(first), _centred(second))


def cka_debiased(first: Floats, second: Floats) -> float:
    """The estimate of linear CKA that has no bias by width, at most 1; unrelated features scatter around 0.

    NaN where one matrix is of constant features. Raises ValueError for fewer than 4 pages.
    """
    _check(first, second, least=LEAST_PAGES)
    return _cosine(_u_centred(first), _u_centred(second))


def _check(first: Floats, second: Floats, *, least: int) -> None:
    pages = len(first)
    if first.shape != (pages, pages) or second.shape != first.shape or pages < least:
        raise ValueError(
            f"two Gram matrices [N, N] of the same {least} or more pages are wanted, got {first.shape} and "
            f"{second.shape}"
        )


def _centred(matrix: Floats) -> Floats:
    rows = matrix - matrix.mean(0)
    return np.asarray(rows - rows.mean(1, keepdims=True))


def _u_centred(matrix: Floats) -> Floats:
    """Off the diagonal every row and column sums to 0, and on it stands 0 (U-centring: Szekely and Rizzo 2014)."""
    pages = len(matrix)
    off = matrix - np.diag(np.diag(matrix))
    sums = off.sum(0) / (pages - 2)
    result = off - sums - sums[:, None] + off.sum() / ((pages - 1) * (pages - 2))
    np.fill_diagonal(result, 0.0)
    return np.asarray(result)


def _cosine(first: Floats, second: Floats) -> float:
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float((first * second).sum() / lengths) if lengths > 0 else float("nan")
