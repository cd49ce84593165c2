"""Virtual attention: a layer's inputs fall into blocks, and each block of outputs learns which of them to read.

    W' = W * expand(m a)        a = softmax_rows(A / tau), A in R^(n x m) learned
    L = sum_layers mean_j H(a_j)        H the entropy, in nats

Paper: Xue et al. 2021, arXiv:2105.04181 (KDExplainer), the virtual attention module. The output channels of a layer are
n blocks and its input channels m blocks; the paper weights the part of a block's output that comes from a block of
inputs by a. Here the weight itself is scaled, each a_ji over its block, which is the same sum and costs nothing at
inference: the trained student is saved with W' folded in. The factor m is ours: at equal a the layer is the plain one.

The module was never released. Not known from the paper, so settings of ours: n and m (`outputs`, `inputs`), tau (one
for all layers), the weight of the entropy (that of the term). A starts from U(0, 1), as the gates of their tree do.
Convolutions without groups and linear layers of the body take part where n and m divide their channels; the others and
the head are left as they are, and the log counts both. Add `supervised` and `kd`: the entropy alone teaches nothing.
At weight 0 the student still has the module, without the entropy (as SimKD still has its head).
"""

import logging
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import ClassVar

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.routing import row_entropy
from distildoc.schema.errors import ConfigError

KIND: Kind = "structure"
PAPER = Paper("Xue et al.", 2021, "2105.04181", "KDExplainer: A Task-oriented Attention Model for Explaining KD")

logger = logging.getLogger(__name__)
Layer = nn.Conv2d | nn.Linear


class VirtualAttention(nn.Module):
    """Scales the blocks of a weight [out, in, ...]; a parametrization of torch, so optimisers and EMA see A and W."""

    def __init__(self, outputs: int, inputs: int, temperature: float) -> None:
        super().__init__()
        self.affinity = nn.Parameter(torch.rand(outputs, inputs))
        self.temperature = temperature

    @property
    def scores(self) -> Tensor:
        return self.affinity / self.temperature

    def forward(self, weight: Tensor) -> Tensor:
        n, m = self.affinity.shape
        wide, deep = weight.shape[:2]
        scale = m * functional.softmax(self.scores, -1)
        scale = scale.repeat_interleave(wide // n, 0).repeat_interleave(deep // m, 1)
        return weight * scale.view(wide, deep, *[1] * (weight.ndim - 2)).to(weight.dtype)


class Vam:
    """attentions  those in the student that was adapted last, in order of its layers."""

    needs: ClassVar[Needs] = Needs(teacher=False, teacher_outputs=False)

    def __init__(self, outputs: int, inputs: int, temperature: float) -> None:
        self.outputs, self.inputs, self.temperature = outputs, inputs, temperature
        self.attentions: list[VirtualAttention] = []

    @property
    def inside(self) -> Sequence[nn.Module]:
        return self.attentions

    def adapt(self, student: Model) -> Model:
        """A model with a copy of the body that has the module; it shares the head."""
        body = deepcopy(student.body)
        layers = list(layers_of(body))
        fitting = [layer for layer in layers if fits(layer, self.outputs, self.inputs)]
        self.attentions = []
        for layer in fitting:
            attention = VirtualAttention(self.outputs, self.inputs, self.temperature).to(layer.weight.device)
            parametrize.register_parametrization(layer, "weight", attention)
            self.attentions.append(attention)
        logger.info("vam: in %d layers, %d left as they are", len(fitting), len(layers) - len(fitting))
        normalise, labels, places = student.normalise, student.labels, student.places
        return Model(body, student.head, normalise=normalise, labels=labels, places=places, recipe=student.recipe)

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        return {"entropy": torch.stack([row_entropy(one.scores).mean() for one in self.attentions]).sum()}

    def finish(self, student: Model) -> Model:
        """The same model with plain layers, whose weights are W'."""
        for layer in list(layers_of(student)):
            if has_attention(layer):
                parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
        return student


def layers_of(module: nn.Module) -> Iterator[Layer]:
    """Convolutions and linear layers, in order."""
    return (layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear))


def fits(layer: Layer, outputs: int, inputs: int) -> bool:
    """Whether its weight falls into that many blocks."""
    whole = isinstance(layer, nn.Linear) or layer.groups == 1
    wide, deep = layer.weight.shape[:2]
    return whole and wide % outputs == 0 and deep % inputs == 0 and not parametrize.is_parametrized(layer, "weight")


def has_attention(layer: Layer) -> bool:
    """Whether its weight is scaled by a VirtualAttention."""
    return any(isinstance(module, VirtualAttention) for module in layer.modules())


def build(pair: Pair, *, outputs: PositiveInt = 4, inputs: PositiveInt = 4, temperature: PositiveFloat = 0.5) -> Method:
    """outputs, inputs: blocks n and m of a layer's channels. temperature: tau; a small one makes a block choose."""
    if not any(fits(layer, outputs, inputs) for layer in layers_of(pair.student.body)):
        raise ConfigError(
            f"vam: no layer of the student has channels that fall into {outputs} blocks of outputs and {inputs} of "
            "inputs (grouped convolutions take no part); lower `outputs` and `inputs` to divisors of its widths, or "
            "take another student"
        )
    return Vam(outputs, inputs, temperature)
