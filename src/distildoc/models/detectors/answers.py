"""What a decoder of the DETR family said, put in one shape for all families.

Layers of the decoder stand in axis 1. D-FINE's first layer also says something before it refines edges (`first`); its
classes and boxes stand before those of the layers in transformers' outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from distildoc.losses.precision import full


@dataclass(frozen=True)
class Answers:
    """logits      [B, L, Q, C].
    boxes       [B, L, Q, 4] cxcywh in shares of the input.
    corners     [B, L, Q, 4 * (bins + 1)], D-FINE's distributions of the four edges; None elsewhere.
    references  [B, L, Q, 4] cxcywh, the boxes that those edges are relative to.
    first       (logits [B, Q, C], boxes [B, Q, 4]) before the first refinement.
    """

    logits: Tensor
    boxes: Tensor
    corners: Tensor | None = None
    references: Tensor | None = None
    first: tuple[Tensor, Tensor] | None = None

    def _each(self, change: Any) -> "Answers":
        return replace(
            self,
            logits=change(self.logits),
            boxes=change(self.boxes),
            corners=None if self.corners is None else change(self.corners),
            references=None if self.references is None else change(self.references),
            first=None if self.first is None else tuple(change(part[:, None])[:, 0] for part in self.first),
        )

    def rows(self, rows: Tensor) -> "Answers":
        """Of some pages."""
        return self._each(lambda part: part[rows])

    def full(self) -> "Answers":
        """In full precision."""
        return self._each(full)

    def split(self, queries: int) -> "tuple[Answers, Answers]":
        """The leading denoising queries, and the others, which are `queries` many."""
        return self._each(lambda part: part[:, :, :-queries]), self._each(lambda part: part[:, :, -queries:])


@dataclass(frozen=True)
class Spoken:
    """queries    what the queries proper say.
    noisy      what the denoising queries say; None outside training and where no page has a box.
    proposals  (logits [B, Q, C], boxes [B, Q, 4]) of the encoder's best places.
    groups     number of denoising groups.
    positives  for every page the denoising queries that stand for a box, group after group.
    """

    queries: Answers
    proposals: tuple[Tensor, Tensor]
    noisy: Answers | None = None
    groups: int = 0
    positives: tuple[Tensor, ...] = ()

    def rows(self, rows: Tensor) -> "Spoken":
        """Of some pages."""
        logits, boxes = self.proposals
        return replace(
            self,
            queries=self.queries.rows(rows),
            proposals=(logits[rows], boxes[rows]),
            noisy=None if self.noisy is None else self.noisy.rows(rows),
            positives=tuple(self.positives[row] for row in rows.tolist()) if self.positives else (),
        )


def spoken(outputs: Any, queries: int) -> Spoken:
    """The record of what a model of transformers (`DFineModel` and its kin) gave."""
    logits, boxes, corners = (
        outputs.intermediate_logits,
        outputs.intermediate_reference_points,
        outputs.intermediate_predicted_corners,
    )
    first = None
    if corners is not None:
        extra = logits.shape[1] - corners.shape[1]
        first = (logits[:, 0], boxes[:, 0]) if extra else None
        logits, boxes = logits[:, extra:], boxes[:, extra:]
    answers = Answers(logits, boxes, corners, outputs.initial_reference_points, first)
    proposals = outputs.enc_topk_logits, outputs.enc_topk_bboxes
    meta: Mapping[str, Any] | None = outputs.denoising_meta_values
    if meta is None:
        return Spoken(answers, proposals)
    noisy, proper = answers.split(queries)
    return Spoken(proper, proposals, noisy, int(meta["dn_num_group"]), tuple(meta["dn_positive_idx"]))


def nothing(said: Spoken) -> Tensor:
    """0, with a gradient path to everything said, so that every weight takes part in every step."""
    parts = [said.queries, *([said.noisy] if said.noisy else [])]
    tensors = [*said.proposals]
    for part in parts:
        tensors += [part.logits, part.boxes, *(part.first or ())] + ([part.corners] if part.corners is not None else [])
    return torch.stack([full(tensor).sum() * 0 for tensor in tensors]).sum()
