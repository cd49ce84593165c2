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


def _averaged(feature: Tensor, size: tuple[int, int]) -> Tensor:
    return feature if tuple(feature.shape[2:]) == size else functional.adaptive_avg_pool2d(feature, size)
