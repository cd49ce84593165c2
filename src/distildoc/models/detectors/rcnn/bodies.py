"""Bodies of Mask R-CNN: a backbone and a feature pyramid, pixels to maps of strides 4, 8, 16, 32 and 64.

Stages of a CNN already have strides 4 to 32. Blocks of a vision transformer all have the patch's stride of 16; four
of them, at a third, half, two thirds and all of the depth, are brought to the four strides by two deconvolutions, one,
none and a pooling (Li et al. 2022, arXiv:2203.02378, DiT; DistilDoc, arXiv:2406.08226). Above both stands the pyramid
of Lin et al. 2017, arXiv:1612.03144, and a last map that is the fourth at every second cell.

Any page size works: a side that is no multiple of 32 is stretched to the next one, which leaves shares of the page as
they are, and the positions of a transformer are interpolated to the page (bicubic, in every forward).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig

from distildoc.core.model import Places
from distildoc.models import hub
from distildoc.models.bodies import base_of, leading_tokens, stages_of
from distildoc.models.detectors.rcnn.norms import with_still_norms
from distildoc.schema.errors import InputError

STEP = 32  # coarsest stride that a page must be a multiple of
MAPS = 4  # that the backbone gives
LCNET = "pp_lcnet"
STAGED, PATCHED = ("resnet", LCNET), ("vit", "deit", "beit")  # model types with maps, and with blocks of tokens
LCNET_STRIDES = [2, 1, 2, 2, 2, 2]  # of its stem and its stages
WIDEST = 1 << 14  # channels; a recipe that asks for more is not one of ours


class Pyramid(nn.Module):
    """Four maps [B, C_i, h, w], each half the size of the one before, to five of `channels`."""

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in widths)
        for layer in (*self.lateral, *self.smooth):
            nn.init.kaiming_uniform_(cast(nn.Conv2d, layer).weight, a=1)
            nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        merged = [lateral(one) for lateral, one in zip(self.lateral, maps, strict=True)]
        for level in range(len(merged) - 2, -1, -1):
            merged[level] = merged[level] + functional.interpolate(merged[level + 1], scale_factor=2.0)
        smooth = [layer(one) for layer, one in zip(self.smooth, merged, strict=True)]
        return [*smooth, smooth[-1][:, :, ::2, ::2]]


class StageBody(nn.Module):
    """A CNN whose last four stages have strides 4 to 32, e.g. ResNet or PP-LCNet, and its pyramid."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        widths = stage_widths(network)
        if len(widths) != MAPS:
            raise InputError(f"model: a pyramid needs a CNN of {MAPS} stages, got {len(widths)}")
        self.network = network
        self.pyramid = Pyramid(widths, channels)
        self.levels = nn.ModuleList(nn.Identity() for _ in range(MAPS + 1))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        stages = self.network(_whole(pixels), output_hidden_states=True).hidden_states[-MAPS:]
        return [level(one) for level, one in zip(self.levels, self.pyramid(stages), strict=True)]


class BlockBody(nn.Module):
    """A vision transformer with 16-pixel patches, e.g. ViT or DiT, and the pyramid of four of its blocks."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        config = cast(PreTrainedConfig, network.config)
        if config.patch_size != STEP // 2 or config.num_hidden_layers < MAPS:
            raise InputError(
                f"model: a pyramid needs {STEP // 2}-pixel patches and {MAPS} blocks or more, got patches of "
                f"{config.patch_size} pixels and {config.num_hidden_layers} blocks"
            )
        depth, width = int(config.num_hidden_layers), int(config.hidden_size)
        self.blocks = tuple(round(depth * share) for share in (1 / 3, 1 / 2, 2 / 3, 1))
        self.tokens = leading_tokens(network)
        self.network = network
        self.scales = nn.ModuleList([_four_times(width), _twice(width), nn.Identity(), nn.MaxPool2d(2)])
        self.pyramid = Pyramid([width] * MAPS, channels)
        self.levels = nn.ModuleList(nn.Identity() for _ in range(MAPS + 1))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        pixels = _whole(pixels)
        rows, columns = (int(side) * 2 // STEP for side in pixels.shape[-2:])
        hidden = self.network(pixels, output_hidden_states=True, interpolate_pos_encoding=True).hidden_states
        maps = [hidden[block][:, self.tokens :].transpose(1, 2).unflatten(2, (rows, columns)) for block in self.blocks]
        maps = [scale(one) for scale, one in zip(self.scales, maps, strict=True)]
        return [level(one) for level, one in zip(self.levels, self.pyramid(maps), strict=True)]


def backbone_of(classifier: nn.Module) -> nn.Module:
    """The base model of an image classifier of transformers, without what comes after its last block."""
    network = cast(Any, classifier.encoder if _kind(classifier) == LCNET else base_of(classifier))
    if _kind(network) == "resnet":
        network.pooler = nn.Identity()
    elif _kind(network) in PATCHED:
        network.layernorm = nn.Identity()
        network.pooler = None
    return cast(nn.Module, network)


def build_body(network: nn.Module, *, channels: int) -> StageBody | BlockBody:
    """The body around a backbone; raises InputError for a family that has neither stages nor blocks that we know."""
    kind = _kind(network)
    if kind in STAGED:
        return StageBody(network, channels)
    if kind in PATCHED:
        return BlockBody(network, channels)
    raise InputError(f"model: no pyramid on a {kind}; Mask R-CNN takes {', '.join((*STAGED, *PATCHED))}")


def places_in(body: StageBody | BlockBody) -> Places:
    """Where its features live: the backbone's blocks, and the five maps."""
    levels = tuple(f"body.levels.{index}" for index in range(len(body.levels)))
    stages = stages_of(body.network, prefix="body.network")
    return Places(penultimate="", map=levels[-1], stages=stages, levels=levels)


def body_from(recipe: Mapping[str, object]) -> nn.Module:
    """{"body": "fpn", "config": {...}, "channels": 256, "norm": "batch"}: a saved model's body, weights yet to come."""
    config, channels, norm = recipe.get("config"), recipe.get("channels"), recipe.get("norm")
    if not isinstance(config, Mapping) or not isinstance(channels, int) or not 1 <= channels <= WIDEST:
        raise InputError("recipe: a body 'fpn' needs the `config` of its backbone and a number of `channels`")
    if norm not in ("batch", "still"):
        raise InputError(f"recipe: `norm` of a body 'fpn' must be batch or still, got {norm!r}")
    network = blank_backbone(hub.config_from(config, where="recipe"))
    return build_body(network if norm == "batch" else with_still_norms(network), channels=channels)


def blank_backbone(config: PreTrainedConfig) -> nn.Module:
    """The backbone of a config, with random weights; raises InputError where none can be made of it."""
    try:
        return backbone_of(hub.network_class(config)(config))
    except (TypeError, ValueError, KeyError, RuntimeError, ZeroDivisionError, IndexError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"model: the {config.model_type} config makes no network: {reason}") from None


def stage_widths(network: nn.Module) -> list[int]:
    """Channels of the maps of strides 4 to 32 that a CNN gives."""
    if _kind(network) == "resnet":
        return [int(width) for width in cast(PreTrainedConfig, network.config).hidden_sizes]
    stem, *stages = (_convolutions(part) for part in (cast(Any, network).convolution, *cast(Any, network).blocks))
    strides = [math.prod(one.stride[0] for one in part) for part in (stem, *stages)]
    if strides != LCNET_STRIDES or not all(stages):
        raise InputError(f"model: a pyramid needs a {LCNET} of strides {LCNET_STRIDES}, a stage each, got {strides}")
    return [part[-1].out_channels for part in stages[-MAPS:]]


def _convolutions(part: nn.Module) -> list[nn.Conv2d]:
    """But for those of squeeze and excitation, which have a bias."""
    return [one for one in part.modules() if isinstance(one, nn.Conv2d) and one.bias is None]


def _kind(network: nn.Module) -> str:
    return str(cast(PreTrainedConfig, network.config).model_type)


def _whole(pixels: Tensor) -> Tensor:
    """Stretched to whole multiples of STEP, where it is not."""
    height, width = (int(side) for side in pixels.shape[-2:])
    size = -(-height // STEP) * STEP, -(-width // STEP) * STEP
    if size == (height, width):
        return pixels
    return functional.interpolate(pixels, size=size, mode="bilinear", align_corners=False)


def _twice(width: int) -> nn.Module:
    return nn.ConvTranspose2d(width, width, 2, stride=2)


def _four_times(width: int) -> nn.Module:
    return nn.Sequential(_twice(width), nn.BatchNorm2d(width), nn.GELU(), _twice(width))
