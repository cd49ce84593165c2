"""The detector families of transformers that we split: RT-DETR, RT-DETRv2 and D-FINE.

Papers: Zhao et al. 2023, arXiv:2304.08069; Lv et al. 2024, arXiv:2407.17140; Peng et al. 2024, arXiv:2410.13842.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn
from transformers import (
    DFineForObjectDetection,
    PreTrainedConfig,
    RTDetrForObjectDetection,
    RTDetrV2ForObjectDetection,
)
from transformers.loss.loss_d_fine import DFineLoss
from transformers.loss.loss_rt_detr import RTDetrLoss

from distildoc.models import hub
from distildoc.schema.errors import InputError

LARGEST = 1 << 12  # classes; a description that asks for more is not one of ours


@dataclass(frozen=True)
class Family:
    """The whole network of transformers, and its set of losses."""

    network: type[nn.Module]
    criterion: type[nn.Module]


FAMILIES: dict[str, Family] = {
    "d_fine": Family(DFineForObjectDetection, DFineLoss),
    "rt_detr": Family(RTDetrForObjectDetection, RTDetrLoss),
    "rt_detr_v2": Family(RTDetrV2ForObjectDetection, RTDetrLoss),
}


def family_of(config: PreTrainedConfig) -> Family:
    """The family of a config that `config_from` has accepted."""
    return FAMILIES[config.model_type]


def config_from(content: Mapping[str, object], *, where: str) -> PreTrainedConfig:
    """A detector's config from plain JSON, without what could fetch or run code.

    Anchors and positions are computed from the maps at hand, so that every page size works.
    Raises InputError for anything that is no detector of FAMILIES.
    """
    config = hub.config_from(content, where=where, kinds=tuple(FAMILIES), noun="detector")
    config.anchor_image_size = None
    config.eval_size = None
    return config


def blank_network(config: PreTrainedConfig) -> nn.Module:
    """The whole network of a config with random weights; raises InputError where none can be made of it."""
    try:
        return family_of(config).network(config)
    except (TypeError, ValueError, KeyError, RuntimeError, ZeroDivisionError, IndexError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"model: the {config.model_type} config makes no network: {reason}") from None
