"""RT-DETR, RT-DETRv2 and D-FINE of transformers, split into a body and a head.

    pixels -> backbone -> projections -> hybrid encoder -> maps (fine to coarse) | -> queries -> decoder -> regions

The cut lies where features of two detectors can be compared, and where one's decoder can read another's maps. The
modules are transformers' own, so published weights keep their values; tied copies of the prediction layers outside
the decoder are left behind.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers.modeling_outputs import BaseModelOutput

from distildoc.core.batch import refuse_scores
from distildoc.core.model import Places
from distildoc.losses.one_to_many import grid, one_to_many
from distildoc.models.bodies import stages_of
from distildoc.models.detectors.answers import Spoken, spoken
from distildoc.models.detectors.criterion import detection_losses
from distildoc.models.detectors.targets import labels_of, rows_by_origin
from distildoc.schema.errors import InputError

BODY = ("backbone", "encoder_input_proj", "encoder")  # the parts of transformers' model that belong to the body
DENOISING = "denoising_class_embed"  # embedding of classes that only denoising queries read


class PyramidBody(nn.Module):
    """Backbone, projections and hybrid encoder: [B, C, H, W] to maps [B, D, h, w], fine to coarse.

    levels  one identity a map, for taps.
    """

    def __init__(self, backbone: nn.Module, projections: nn.ModuleList, encoder: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.projections = projections
        self.encoder = encoder
        self.levels = nn.ModuleList(nn.Identity() for _ in projections)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        features = self.backbone(pixels).feature_maps
        maps = [project(feature) for project, feature in zip(self.projections, features, strict=True)]
        found = self.encoder(inputs_embeds=maps).last_hidden_state
        return [level(each) for level, each in zip(self.levels, found, strict=True)]


class DecoderHead(nn.Module):
    """Query selection and decoder: maps to `logits` [B, Q, C] and `boxes` [B, Q, 4], and with targets the losses.

    network  transformers' model without its body; `config` says what it is made of.

    Adds `layers/logits` [B, L, Q, C] and `layers/boxes` [B, L, Q, 4] in training mode, and for D-FINE `corners`
    [B, Q, 4 * (bins + 1)] and `references` [B, Q, 4]. Denoising queries see TRUE and PSEUDO boxes and show in the
    losses only. Where `config.one_to_many` is above 0 the encoder's places are supervised as well, with that weight
    (`places_class`, `places_box`; see losses.one_to_many).
    """

    def __init__(self, network: nn.Module, config: PreTrainedConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.one_to_many = float(config.to_dict().get("one_to_many", 0.0))

    def forward(self, maps: Sequence[Tensor], targets: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        queries = int(self.config.num_queries)
        if self.training:
            _check_places(maps, queries)
        if targets is not None:
            refuse_scores(targets, "a student of the DETR family")
        labels = None if targets is None else labels_of(targets)
        found: Any = self.network(
            pixel_values=None,
            inputs_embeds=maps[0],
            encoder_outputs=BaseModelOutput(last_hidden_state=list(maps)),
            labels=labels,
        )
        said = spoken(found, queries)
        outputs = self._outputs(said)
        if targets is not None and labels is not None:
            for prefix, rows in rows_by_origin(targets).items():
                losses = detection_losses(self.config, said, labels=labels, rows=rows)
                if self.one_to_many:
                    losses |= self._places(found, maps, targets, rows)
                outputs |= {f"{prefix}/{name}": value for name, value in losses.items()}
            if self.training and said.noisy is None:
                outputs["loss/vfl"] = outputs["loss/vfl"] + self._unused()
        return outputs

    def _outputs(self, said: Spoken) -> dict[str, Tensor]:
        queries = said.queries
        outputs = {"logits": queries.logits[:, -1], "boxes": queries.boxes[:, -1]}
        if queries.corners is not None and queries.references is not None:
            outputs |= {"corners": queries.corners[:, -1], "references": queries.references[:, -1]}
        if self.training:
            outputs |= {"layers/logits": queries.logits, "layers/boxes": queries.boxes}
        return outputs

    def _places(
        self, found: Any, maps: Sequence[Tensor], targets: Mapping[str, Tensor], rows: Tensor
    ) -> dict[str, Tensor]:
        """One-to-many losses of the encoder's places on some pages."""
        logits, boxes = found.enc_outputs_class[rows], found.enc_outputs_coord_logits[rows].float().sigmoid()
        shapes = tuple((each.shape[-2], each.shape[-1]) for each in maps)
        truth, classes = targets["boxes"][rows], targets["classes"][rows]
        losses = one_to_many(logits, boxes, truth, classes, places=grid(shapes, logits.device))
        return {f"places_{name}": self.one_to_many * loss for name, loss in losses.items()}

    def _unused(self) -> Tensor:
        """0, with a gradient path to the embedding that only denoising reads: processes wait for every gradient."""
        if not self.config.num_denoising:
            return torch.zeros((), device=next(self.parameters()).device)
        return cast(Tensor, self.network.get_parameter(f"{DENOISING}.weight")).sum() * 0


def split(network: nn.Module) -> tuple[PyramidBody, DecoderHead]:
    """Body and head of a whole network of transformers (`...ForObjectDetection`), sharing its modules."""
    model = network.get_submodule("model")
    backbone, projections, encoder = (model.get_submodule(name) for name in BODY)
    for name in BODY:
        delattr(model, name)
    body = PyramidBody(backbone.get_submodule("model"), cast(nn.ModuleList, projections), encoder)
    return body, DecoderHead(model, cast(PreTrainedConfig, network.config))


def pyramid_places(body: PyramidBody) -> Places:
    """Where features live in a Detector with this body."""
    levels = tuple(f"body.levels.{index}" for index in range(len(body.levels)))
    stages = stages_of(body.backbone, prefix="body.backbone")
    return Places(penultimate="", map=levels[-1], stages=stages, levels=levels)


def _check_places(maps: Sequence[Tensor], queries: int) -> None:
    places = sum(each.shape[-2] * each.shape[-1] for each in maps)
    if places < queries:
        raise InputError(
            f"detector: {queries} queries need as many places, and the maps of these pages have {places}; "
            "use larger pages or fewer `queries`"
        )
