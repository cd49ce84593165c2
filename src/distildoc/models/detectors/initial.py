"""Initial weights for detectors that start from nothing.

transformers draws the convolutions of these networks, and RT-DETR's batch norms, around zero with a standard
deviation of 0.01: until batch norms have seen some pages the encoder gives nothing, and all places of a page get the
same score. Here batch norms start as the identity, convolutions after He et al. 2015 (arXiv:1502.01852), linear layers
after Glorot and Bengio 2010. What is special stays as published (arXiv:2304.08069, 2410.13842): biases at the prior
probability of a class, sampling points on rays, layers that start at zero; and two such layers that transformers
forgets, the encoder's and the first decoder layer's last step to boxes. Class embeddings of denoising queries are
drawn from N(0, 1), as published.
"""

from typing import cast

import torch
from torch import nn

ZERO = ("enc_bbox_head", "pre_bbox_head")  # whose last layer starts at zero, so that boxes start at their anchors
NORMS = ("weight", "bias", "running_mean", "running_var")  # of a batch norm, frozen or not


def draw_weights(network: nn.Module) -> None:
    """New initial weights for a whole network of the DETR family, in place, from the current random state."""
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                if module.weight.any():  # else it starts at zero on purpose
                    nn.init.xavier_uniform_(module.weight)
            elif isinstance(module, nn.Embedding) and name.endswith("denoising_class_embed"):
                nn.init.normal_(module.weight)
                module.weight[module.num_embeddings - 1] = 0  # padding
            elif "BatchNorm" in type(module).__name__:
                _start_as_identity(module)
        for name, module in network.named_modules():
            if name.rpartition(".")[2] in ZERO:
                for parameter in cast(nn.ModuleList, module.get_submodule("layers"))[-1].parameters():
                    nn.init.zeros_(parameter)


def _start_as_identity(norm: nn.Module) -> None:
    """Parameters of a batch norm, or buffers of a frozen one."""
    tensors = {**dict(norm.named_parameters()), **dict(norm.named_buffers())}
    for name, value in zip(NORMS, (1.0, 0.0, 0.0, 1.0), strict=True):
        tensors[name].fill_(value)
