"""The layers of a detector that score classes, for other classes: rows travel by name."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from distildoc.models.classes import rows_by_name
from distildoc.models.detectors.detr import DENOISING, DecoderHead

logger = logging.getLogger(__name__)


def fit_classes(network: nn.Module, known: Sequence[str], labels: Sequence[str], *, where: str) -> None:
    """Give a whole network of transformers one row for every label, in place and in its config.

    Classes that are known by name (case, blanks, hyphens and underscores aside) keep their rows in every layer of the
    decoder, in the encoder's scores and in the denoising embedding. Weights of new rows are drawn, and their biases
    start at the mean of the old ones, so that a new class is as rare as the old ones at first.
    """
    rows = rows_by_name(known, labels)
    if rows == list(range(len(known))):
        return
    kept = sum(row is not None for row in rows)
    logger.info("%s: %d of %d classes kept by name, %d are new", where, kept, len(known), len(labels) - kept)
    _fit_rows(network.get_submodule("model"), rows)
    cast(PreTrainedConfig, network.config).num_labels = len(labels)


def reordered_decoder(head: DecoderHead, columns: Sequence[int]) -> DecoderHead:
    """A copy on the CPU whose class i is class columns[i] of the given head."""
    copied = deepcopy(head).cpu()
    _fit_rows(copied.network, columns)
    copied.config.num_labels = len(columns)
    return copied


def _fit_rows(model: nn.Module, rows: Sequence[int | None]) -> None:
    scorers = cast(nn.ModuleList, model.get_submodule("decoder.class_embed"))
    for index, layer in enumerate(scorers):
        scorers[index] = _fitted(cast(nn.Linear, layer), rows)
    model.enc_score_head = _fitted(cast(nn.Linear, model.enc_score_head), rows)
    for name, layer in model.named_children():
        if name == DENOISING:
            setattr(model, name, _fitted_embedding(cast(nn.Embedding, layer), rows))


def _fitted(old: nn.Linear, rows: Sequence[int | None]) -> nn.Linear:
    new = nn.Linear(old.in_features, len(rows))
    with torch.no_grad():
        nn.init.xavier_uniform_(new.weight)
        new.bias.fill_(float(old.bias.mean()))
        _copy(old.weight, new.weight, rows)
        _copy(old.bias, new.bias, rows)
    return new


def _fitted_embedding(old: nn.Embedding, rows: Sequence[int | None]) -> nn.Embedding:
    """The last row is padding."""
    new = nn.Embedding(len(rows) + 1, old.embedding_dim, padding_idx=len(rows))
    with torch.no_grad():
        _copy(old.weight, new.weight, rows)
    return new


def _copy(old: Tensor, new: Tensor, rows: Sequence[int | None]) -> None:
    for index, row in enumerate(rows):
        if row is not None:
            new[index] = old[row]
