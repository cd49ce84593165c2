"""Model: a network that owns its normalisation, or its tokenizer, and its labels, split into a body and a head."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from distildoc.core.texts import Tokenise, Tokens

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, what Pillow's "L" conversion uses


@dataclass(frozen=True)
class Normalise:
    """How a network wants its pixels: channels 1 (luma) or 3 (RGB), then (x - mean) / std per channel."""

    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    size: tuple[int, int] | None = None  # (height, width) in pixels; None: as the batch comes

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
            raise ValueError(f"mean and std need 1 or 3 values each, got {self.mean} and {self.std}")
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, got {self.std}")


class Pixels(nn.Module):
    """[B, 3, H, W] in 0..1 to what the network was trained on: colour, size, normalisation."""

    mean: Tensor
    std: Tensor
    luma: Tensor

    def __init__(self, normalise: Normalise) -> None:
        super().__init__()
        self.normalise = normalise
        self.register_buffer("mean", torch.tensor(normalise.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(normalise.std).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        if self.mean.shape[1] == 1:
            pixels = (pixels * self.luma).sum(1, keepdim=True)
        size = self.normalise.size
        if size is not None and tuple(pixels.shape[-2:]) != size:
            pixels = functional.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=True)
        return (pixels - self.mean) / self.std


@dataclass(frozen=True)
class Places:
    """Module paths, from the Model, where features live.

    penultimate  output [B, D]: what the head reads.
    map          output [B, C, H, W] or tokens [B, N, D]: the last features before pooling.
    stages       the network's blocks in order of depth.
    tokens       number of leading tokens of a sequence that are no patch (CLS, distillation); 0 for maps.
    levels       of a detector: where the maps of its pyramid [B, C, h, w] come out, from fine to coarse.
    """

    penultimate: str
    map: str
    stages: tuple[str, ...]
    tokens: int = 0
    levels: tuple[str, ...] = ()


class Model(nn.Module):
    """The inputs of a Batch to named outputs; classification gives `logits` [B, C].

    entry    pixels [B, 3, H, W] in 0..1 to normalised ones, or texts [B, L] to tokens [B, 2, T].
    body     what the entry gives to what the head reads.
    head     what the body gives to logits; methods may replace it (SimKD), and what they put there is exported.
    recipe   plain JSON from which `models.load` rebuilds the modules before it reads the weights.
    """

    def __init__(
        self,
        body: nn.Module,
        head: nn.Module,
        *,
        normalise: Normalise | Tokenise,
        labels: Sequence[str],
        places: Places,
        recipe: Mapping[str, object],
    ) -> None:
        super().__init__()
        self.entry = Tokens(normalise) if isinstance(normalise, Tokenise) else Pixels(normalise)
        self.body = body
        self.head = head
        self.labels = tuple(labels)
        self.places = places
        self.recipe = dict(recipe)

    @property
    def normalise(self) -> Normalise | Tokenise:
        return self.entry.normalise

    def forward(self, inputs: Tensor, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """What a classifier says does not depend on the targets."""
        return {"logits": self.head(self.body(self.entry(inputs)))}


class Detector(Model):
    """A Model whose body gives the maps of a pyramid, and whose head turns them into regions.

    The head is called with the maps and, while training, the targets of the Batch: detectors take part in their own
    supervision (denoising queries, sampled proposals), so their losses come out of their forward (see View.outputs).
    """

    def forward(self, inputs: Tensor, targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        found: dict[str, Tensor] = self.head(self.body(self.entry(inputs)), targets)
        return found


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """All modules in eval mode inside; afterwards each as it was, also those frozen apart from the rest."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def parameter_count(module: nn.Module) -> int:
    """Number of weights, frozen ones included: what is stored and run."""
    return sum(p.numel() for p in module.parameters())
