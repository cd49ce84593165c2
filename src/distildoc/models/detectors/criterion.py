"""The published losses of the DETR family: match queries with boxes, then supervise every layer.

    L = sum over the last layer, the layers before it, the encoder's proposals and the denoising queries of
        vfl + 5 * bbox + 2 * giou  (+ 0.15 * fgl + 1.5 * ddf in D-FINE),  each divided by the number of boxes

The weights are those of the config; the terms are transformers' own (RTDetrLoss, DFineLoss). RT-DETR's sums are
those of transformers to the last bit. D-FINE's are put together here as published (arXiv:2410.13842, section 4):
what transformers 5.23 passes to its loss pairs each layer's boxes with the edges of the next one and leaves the last
edges and the last layer but one unsupervised. D-FINE's union of the layers' matches (GO) is left out, as there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from distildoc.losses.precision import full
from distildoc.models.detectors.answers import Answers, Spoken, nothing
from distildoc.models.detectors.families import family_of
from distildoc.models.detectors.targets import Label

Pairs = list[tuple[Tensor, Tensor]]
NAMES = {"d_fine": ("vfl", "bbox", "giou", "fgl", "ddf")}  # of the losses; the other families have the first three
SHORT = NAMES["d_fine"][:3]


class _Matcher(nn.Module):
    """The family's own matcher, also where no page has a box."""

    def __init__(self, published: nn.Module) -> None:
        super().__init__()
        self.published = published

    def forward(self, outputs: Mapping[str, Tensor], targets: Sequence[Label]) -> Pairs:
        if any(len(target["class_labels"]) for target in targets):
            return cast(Pairs, self.published(outputs, targets))
        none = torch.zeros(0, dtype=torch.int64)
        return [(none, none) for _ in targets]


def detection_losses(
    config: PreTrainedConfig, said: Spoken, *, labels: Sequence[Label], rows: Tensor
) -> dict[str, Tensor]:
    """Weighted losses by name over some pages; zeros, with a gradient path, where there is no page.

    labels  of all pages of the batch; rows [n] int64 says which of them count.
    """
    names = NAMES.get(config.model_type, SHORT)
    zero = nothing(said)
    if not len(rows):
        return dict.fromkeys(names, zero)
    device = said.queries.logits.device
    criterion = family_of(config).criterion(config).to(device)
    criterion.matcher = _Matcher(cast(nn.Module, criterion.matcher))
    wanted = [{**labels[row], "boxes": full(labels[row]["boxes"])} for row in rows.tolist()]
    with torch.autocast(device.type, enabled=False):
        parts: dict[str, Tensor] = criterion(_composed(said.rows(rows)), wanted)
    sums = dict.fromkeys(names, zero)
    for key, value in parts.items():
        name = key.split("_")[1]  # loss_NAME, loss_NAME_aux_0, loss_NAME_dn_0
        sums[name] = sums[name] + value
    return sums


def _composed(said: Spoken) -> dict[str, Any]:
    """What transformers' losses read."""
    queries = said.queries.full()
    layers = range(queries.logits.shape[1])
    before = [_layer(queries, layer) for layer in layers[:-1]] + _plain(queries.first)
    content: dict[str, Any] = {
        **_layer(queries, -1),
        "auxiliary_outputs": before + _plain(tuple(full(part) for part in said.proposals)),
    }
    if said.noisy is not None:
        noisy = said.noisy.full()
        content["dn_auxiliary_outputs"] = [_layer(noisy, layer) for layer in layers] + _plain(noisy.first)
        content["denoising_meta_values"] = {"dn_positive_idx": said.positives, "dn_num_group": said.groups}
    return content


def _layer(answers: Answers, layer: int) -> dict[str, Tensor]:
    """One layer, with the last one as the teacher of its edges."""
    found = {"logits": answers.logits[:, layer], "pred_boxes": _inside(answers, answers.boxes[:, layer])}
    if answers.corners is None or answers.references is None:
        return found
    found |= {"pred_corners": answers.corners[:, layer], "ref_points": answers.references[:, layer]}
    return found | {"teacher_corners": answers.corners[:, -1], "teacher_logits": answers.logits[:, -1]}


def _plain(pair: tuple[Tensor, ...] | None) -> list[dict[str, Tensor]]:
    return [] if pair is None else [{"logits": pair[0], "pred_boxes": pair[1].clamp(0, 1)}]


def _inside(answers: Answers, boxes: Tensor) -> Tensor:
    """D-FINE's edges can cross each other, and its boxes leave the page; the losses see them clamped, as published."""
    return boxes if answers.corners is None else boxes.clamp(0, 1)
