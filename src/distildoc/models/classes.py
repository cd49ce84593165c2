"""The last linear layer for other classes: rows travel by name, and classes nobody knew make a new layer."""

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import nn

NEW_STD = 0.02  # standard deviation of a new classifier's weights, as transformers draws them

logger = logging.getLogger(__name__)


def fitted_linear(old: nn.Linear, known: Sequence[str], labels: Sequence[str], *, where: str) -> nn.Linear:
    """A layer with one row for every label.

    Where all labels are among the known classes (case, blanks, hyphens and underscores aside), their rows are
    kept in the order of the labels; otherwise the layer is drawn anew from the current random state.
    """
    wanted = rows_by_name(known[: old.out_features], labels)
    kept = [row for row in wanted if row is not None]
    new = nn.Linear(old.in_features, len(labels), bias=old.bias is not None)
    with torch.no_grad():
        if len(kept) == len(labels):
            logger.info("%s: classifier kept, %d of its %d classes by name", where, len(labels), old.out_features)
            new.weight.copy_(old.weight[kept])
            if old.bias is not None:
                new.bias.copy_(old.bias[kept])
            return new
        logger.info("%s: new classifier for %d classes; the weights know other classes", where, len(labels))
        nn.init.normal_(new.weight, std=NEW_STD)
        if old.bias is not None:
            nn.init.zeros_(new.bias)
    return new


def names_by_row(id2label: Mapping[int, object]) -> list[str]:
    """The class of every row of a published head, "" where it has none; a file may name them in any order.

    A head has as many rows as there are names, so larger numbers are left out.

    >>> names_by_row({0: "text", 2: "table", 1: "title"})
    ['text', 'title', 'table']
    """
    return [str(id2label.get(row, "")) for row in range(len(id2label))]


def rows_by_name(known: Sequence[str], labels: Sequence[str]) -> list[int | None]:
    """For every label its place among the known classes, or None; case, blanks, hyphens and underscores aside.

    >>> rows_by_name(["Page-header", "text"], ["Text", "page header", "table"])
    [1, 0, None]
    """
    rows = {_folded(name): row for row, name in enumerate(known)}
    return [rows.get(_folded(name)) for name in labels]


def _folded(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()
