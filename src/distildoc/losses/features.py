"""Losses between features, and how maps of two sizes are brought to one."""

from torch import Tensor
from torch.nn import functional

from distildoc.losses.precision import paired


def mse(teacher: Tensor, student: Tensor) -> Tensor:
    """Squared difference of features [B, ...] of one shape, mean over all axes but the first, [B]."""
    teacher, student = paired(teacher, student)
    return (student - teacher).square().flatten(1).mean(1)


def same_grid(teacher: Tensor, student: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps [B, C, H, W] at the smaller of the two heights and widths; channels may differ.

    The larger map is averaged over the cells it covers (adaptive average pooling); nothing is interpolated, so no
    detail is made up.
    """
    size = (min(teacher.shape[2], student.shape[2]), min(teacher.shape[3], student.shape[3]))
    return _averaged(teacher, size), _averaged(student, size)


def hierarchical(teacher: Tensor, student: Tensor) -> Tensor:
    """Squared difference of maps [B, C, h, w] at full scale and averaged to 4 x 4, 2 x 2 and 1 x 1 cells, [B].

    Weights 1, 1/2, 1/4, 1/8, divided by their sum (hierarchical context loss, arXiv:2104.09044). Scales that the map
    does not exceed are left out, and those after them move up to their weights.
    """
    total, weight, weights = mse(teacher, student), 1.0, 1.0
    for cells in (4, 2, 1):
        if cells < min(teacher.shape[2:]):
            weight /= 2
            total = total + weight * mse(_averaged(teacher, (cells, cells)), _averaged(student, (cells, cells)))
            weights += weight
    return total / weights


def _averaged(feature: Tensor, size: tuple[int, int]) -> Tensor:
    return feature if tuple(feature.shape[2:]) == size else functional.adaptive_avg_pool2d(feature, size)
