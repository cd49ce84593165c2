"""Optimisers by name, and which weights decay.

AdamW: Loshchilov and Hutter 2019, arXiv:1711.05101. SGD: momentum after Sutskever et al. 2013, as torch has it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from distildoc.schema.errors import ConfigError, closest

# position and class tokens are learned offsets, like biases
UNDECAYED = ("position_embedding", "pos_embed", "relative_position", "cls_token", "dist_token", "distillation_token")

Group = dict[str, Any]  # torch's own record of a parameter group


def adamw(groups: list[Group], *, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> Optimizer:
    """AdamW; weight decay is read from the groups."""
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, fused=_fused(groups))


def sgd(groups: list[Group], *, lr: float, momentum: float = 0.9, nesterov: bool = True) -> Optimizer:
    """SGD with momentum; momentum 0 needs nesterov False. Weight decay is read from the groups."""
    if nesterov and momentum == 0:
        raise ConfigError("sgd: nesterov needs a momentum above 0, got 0; set `nesterov: false` or raise `momentum`")
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=_fused(groups))


OPTIMISERS: Mapping[str, Callable[..., Optimizer]] = {"adamw": adamw, "sgd": sgd}


def build_optimiser(
    name: str, module: nn.Module, *, lr: float, weight_decay: float = 0.0, settings: Mapping[str, object] | None = None
) -> Optimizer:
    """An optimiser of the module's trainable weights; `settings` are the keyword arguments of its function here.

    Every group carries `base_lr`, which schedules multiply, and `param_names`. Raises ConfigError for an unknown
    name or setting, and where nothing is trainable.
    """
    if name not in OPTIMISERS:
        raise ConfigError(f"unknown optimiser '{name}'; {closest(name, OPTIMISERS)}")
    build = OPTIMISERS[name]
    known = [key for key in build.__annotations__ if key not in ("groups", "lr", "return")]
    for key in settings or {}:
        if key not in known:
            raise ConfigError(f"optimiser '{name}' has no setting '{key}'; {closest(key, known)}")
    groups = parameter_groups(module, weight_decay=weight_decay)
    optimiser = build(groups, lr=lr, **(settings or {}))
    for group in optimiser.param_groups:
        group["base_lr"] = lr
    return optimiser


def parameter_groups(module: nn.Module, *, weight_decay: float) -> list[Group]:
    """Trainable weights in two groups: matrices and kernels decay; biases, norms, scales and positions do not."""
    decayed: list[tuple[str, nn.Parameter]] = []
    undecayed: list[tuple[str, nn.Parameter]] = []
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            offset = weight.ndim <= 1 or any(word in name for word in UNDECAYED)
            (undecayed if offset else decayed).append((name, weight))
    if not decayed and not undecayed:
        raise ConfigError("nothing to train: every weight of the student and of the methods is frozen")
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": undecayed, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _fused(groups: list[Group]) -> bool:
    weights = [weight for group in groups for _, weight in group["params"]]
    return all(weight.is_floating_point() and weight.device.type in ("cpu", "cuda") for weight in weights)
