"""Bodies: a classification network without its last linear layer, giving a vector or a map.

The whole network stays in place under `.network`, so that its own module paths keep their meaning and its weights
their names; only the last linear layer of the classifier becomes an identity and moves to the Model's head.
"""

from collections.abc import Callable, Iterator
from typing import cast

from torch import Tensor, nn

from distildoc.core.grids import as_map
from distildoc.core.model import Model, Places
from distildoc.schema.errors import InputError

LEADING = ("cls_token", "distillation_token", "dist_token", "register_tokens", "reg_token")  # learnt [1, n, D] tokens


class PooledBody(nn.Module):
    """A transformers image classifier whose `classifier` ends in an identity: [B, C, H, W] to [B, D]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.network(pixel_values=pixels).logits
        return features.flatten(1)


class MapBody(nn.Module):
    """The base model of a transformers image classifier alone: [B, C, H, W] to the last map [B, D, h, w].

    tokens  leading tokens of a sequence that are no patch and are left out of the grid.
    The classifier stays among the modules, unused, so that module paths are those of PooledBody.
    """

    def __init__(self, network: nn.Module, *, tokens: int = 0) -> None:
        super().__init__()
        self.network = network
        self.tokens = tokens

    def forward(self, pixels: Tensor) -> Tensor:
        last: Tensor = base_of(self.network)(pixels)[0]
        return as_map(last, skip=self.tokens, aspect=pixels.shape[-2] / pixels.shape[-1])


class TimmPooledBody(nn.Module):
    """A timm network with its classifier reset to an identity: [B, C, H, W] to [B, D]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.network(pixels)
        return features.flatten(1)


class TimmMapBody(nn.Module):
    """`forward_features` of a timm network: [B, C, H, W] to the last map [B, D, h, w].

    channels_last  the network gives [B, h, w, D] (timm's output format NHWC, as Swin).
    """

    def __init__(self, network: nn.Module, *, tokens: int = 0, channels_last: bool = False) -> None:
        super().__init__()
        self.network = network
        self.tokens = tokens
        self.channels_last = channels_last

    def forward(self, pixels: Tensor) -> Tensor:
        last = cast(Callable[[Tensor], Tensor], self.network.forward_features)(pixels)
        if self.channels_last:
            last = last.permute(0, 3, 1, 2)
        return as_map(last, skip=self.tokens, aspect=pixels.shape[-2] / pixels.shape[-1])


def map_body(model: Model) -> nn.Module:
    """The body of a model, sharing its network, that gives the last map [B, D, h, w] in place of a vector.

    A method that puts it into the model also sets `model.recipe["body"] = "map"`, so that saved weights load again.
    """
    body = model.body
    if isinstance(body, MapBody | TimmMapBody):
        return body
    if isinstance(body, PooledBody):
        return MapBody(body.network, tokens=model.places.tokens)
    if isinstance(body, TimmPooledBody):
        return TimmMapBody(body.network, tokens=model.places.tokens, channels_last=is_channels_last(body.network))
    raise InputError(
        f"the student's body ({type(body).__name__}) gives no map of the page; take a CNN or a vision transformer"
    )


def is_channels_last(network: nn.Module) -> bool:
    """Whether a timm network's maps are [B, h, w, D]; timm says so in `output_fmt`."""
    return str(getattr(network, "output_fmt", "NCHW")).upper().endswith("NHWC")


def base_of(network: nn.Module) -> nn.Module:
    """The base model inside a transformers classifier, e.g. `network.resnet`."""
    return network.get_submodule(str(network.base_model_prefix))


def take_head(network: nn.Module) -> nn.Linear:
    """Put an identity in place of the last linear layer of `network.classifier` and return that layer.

    Whatever stands before it (flatten, dropout, a norm) stays in the network. Raises InputError where there is none.
    """
    found = [path for path, module in network.named_modules() if is_classifier(path) and isinstance(module, nn.Linear)]
    if not found:
        raise InputError(
            f"{type(network).__name__} has no linear layer in `classifier`; use a classifier whose head is called so, "
            "such as ResNet, ViT, BEiT, ConvNeXt, Swin, or for texts BERT, RoBERTa and DistilBERT"
        )
    parent, _, name = found[-1].rpartition(".")
    head = network.get_submodule(found[-1])
    setattr(network.get_submodule(parent), name, nn.Identity())
    return cast(nn.Linear, head)


def is_classifier(path: str) -> bool:
    """Whether a module path of the network is its classifier or lies inside it."""
    return path == "classifier" or path.startswith("classifier.")


def places_of(network: nn.Module, *, prefix: str) -> Places:
    """Where features live in a network that stands at `body.network`; `prefix` is the path of its base model.

    The stages are, for example, those of `resnet.encoder.stages` or `vit.layers`.
    """
    base = network.get_submodule(prefix) if prefix else network
    inside = f"body.network.{prefix}".rstrip(".")
    return Places(penultimate="body", map=inside, stages=stages_of(base, prefix=inside), tokens=leading_tokens(base))


def stages_of(base: nn.Module, *, prefix: str) -> tuple[str, ...]:
    """Paths, behind `prefix`, of a network's blocks in order of depth: the outermost list with the most weights.

    Without any list (some timm networks) they are the children that hold weights.
    """
    lists = list(_outermost_lists(base, ""))
    if lists:
        path, blocks = max(lists, key=lambda found: _weight(found[1]))
        return tuple(f"{prefix}.{path}.{index}" for index in range(len(blocks)))
    return tuple(f"{prefix}.{name}" for name, child in base.named_children() if _weight(child))


def leading_tokens(base: nn.Module) -> int:
    """Number of tokens that stand before the patches: CLS, distillation, registers.

    >>> leading_tokens(nn.Conv2d(3, 8, 3))
    0
    """
    return sum(p.shape[1] for name, p in base.named_parameters() if name.rpartition(".")[2] in LEADING)


def _outermost_lists(module: nn.Module, path: str) -> Iterator[tuple[str, nn.ModuleList]]:
    for name, child in module.named_children():
        where = f"{path}.{name}" if path else name
        if isinstance(child, nn.ModuleList):
            yield where, child
        else:
            yield from _outermost_lists(child, where)


def _weight(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
