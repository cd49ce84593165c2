"""Grey input for networks that were trained on colour."""

from typing import Any, cast

import torch
from torch import nn

from distildoc.core.model import Normalise


def grey_normalise(normalise: Normalise) -> Normalise:
    """One mean and one std, the averages over colours: exact where the three are equal, as for ViT and BEiT."""
    mean = sum(normalise.mean) / len(normalise.mean)
    std = sum(normalise.std) / len(normalise.std)
    return Normalise((mean,), (std,), normalise.size)


def sum_over_colour(network: nn.Module) -> None:
    """Let the first convolution read luma: its weights are summed over RGB, so a grey page gives the same features.

    Changes the network in place; one that reads luma already is left as it is.
    """
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None or first.in_channels != 3:
        return
    with torch.no_grad():
        first.weight = nn.Parameter(first.weight.sum(1, keepdim=True))
    first.in_channels = 1
    for module in [*network.modules(), network.config]:  # transformers compares the pixels with `num_channels`
        if getattr(module, "num_channels", None) == 3:
            cast(Any, module).num_channels = 1
