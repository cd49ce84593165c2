"""Batch norms that stay as they came, statistics and scales, as Detectron2 fine-tunes published ResNets.

A detector's batches are small and their statistics poor. A backbone with random weights needs norms that learn.
"""

from torch import nn


class StillNorm(nn.BatchNorm2d):
    """Always in eval mode, its scale and shift without gradients; the weights keep their names."""

    def train(self, mode: bool = True) -> "StillNorm":
        super().train(False)
        return self


def with_still_norms(network: nn.Module) -> nn.Module:
    """The network, changed in place: every batch norm becomes a StillNorm with the same values."""
    for parent in list(network.modules()):
        for name, norm in list(parent.named_children()):
            if isinstance(norm, nn.BatchNorm2d) and not isinstance(norm, StillNorm):
                still = StillNorm(norm.num_features, eps=norm.eps, momentum=norm.momentum)
                still.load_state_dict(norm.state_dict())
                setattr(parent, name, still.requires_grad_(False).train(False))
    return network
