"""EMA: a running mean of the student's weights, kept beside it.

    shadow <- d shadow + (1 - d) weight,   d = min(decay, (1 + t) / (10 + t)) at update t = 0, 1, ...
The weights' mean is Polyak and Juditsky 1992; the rising decay, which forgets the random start early, is that of
TensorFlow's ExponentialMovingAverage. Buffers (batch-norm statistics) are already means: they are copied.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from distildoc.schema.errors import ConfigError


def decay_at(update: int, *, decay: float) -> float:
    """Share of the shadow kept at an update, counted from 0.

    >>> decay_at(0, decay=0.99), decay_at(10_000, decay=0.99)
    (0.1, 0.99)
    """
    return min(decay, (1 + update) / (10 + update))


class Ema:
    """Shadow weights of a module: fp32 for its weights, as they are for its buffers; `shadow` holds them by name."""

    def __init__(self, module: nn.Module, *, decay: float) -> None:
        if not 0 < decay < 1:
            raise ConfigError(f"the EMA decay must lie between 0 and 1, not {decay}; leave it out for no EMA")
        self.decay = decay
        weights = dict(module.named_parameters())
        stored = module.state_dict(keep_vars=True)
        self._weights = {name: weights[name] for name in stored if name in weights}
        self._buffers = {name: tensor for name, tensor in module.named_buffers() if name in stored}
        self.shadow: dict[str, Tensor] = {}
        for name, weight in self._weights.items():
            self.shadow[name] = weight.detach().to(torch.float32, copy=True)
        for name, buffer in self._buffers.items():
            self.shadow[name] = buffer.detach().clone()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after optimiser step `step`, counted from 0."""
        shadows = [self.shadow[name] for name in self._weights]
        weights = [weight.detach().to(torch.float32) for weight in self._weights.values()]
        torch._foreach_lerp_(shadows, weights, 1.0 - decay_at(step, decay=self.decay))
        for name, buffer in self._buffers.items():
            self.shadow[name].copy_(buffer)

    @torch.no_grad()
    def copy_to_module(self) -> None:
        """Overwrite the module's weights and buffers with the shadow."""
        for name, tensor in (self._weights | self._buffers).items():
            tensor.copy_(self.shadow[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the module has the shadow weights; afterwards its own again, also after an error."""
        own = {name: tensor.detach().clone() for name, tensor in (self._weights | self._buffers).items()}
        self.copy_to_module()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, tensor in (self._weights | self._buffers).items():
                    tensor.copy_(own[name])
