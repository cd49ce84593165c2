"""Makes torchvision importable beside a torch without CUDA, for peers that import it; call `install` before them.

A torchvision wheel built for CUDA cannot load its library of operators there, and its import then fails on operators
that nobody has defined. timm and torchdistill want it for parts that these benchmarks never call. Only schemas are
defined; calling one of these operators fails. For benchmarks alone: the package itself never needs torchvision.
"""

from importlib.metadata import PackageNotFoundError, version

import torch

_KEPT: list[torch.library.Library] = []  # a library that is collected takes its operators with it


def install() -> None:
    """Define the operators whose shapes torchvision registers, where its own library cannot."""
    try:
        fits = torch.version.cuda is not None or version("torchvision").endswith("+cpu")
    except PackageNotFoundError:
        return
    if _KEPT or fits:
        return
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)
