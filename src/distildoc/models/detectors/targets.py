"""The targets of a Batch as transformers' detectors read them, and which pages supervise."""

from collections.abc import Mapping

from torch import Tensor

from distildoc.core.batch import PSEUDO, TRUE, UNKNOWN, UNLABELLED

Label = dict[str, Tensor]
PREFIXES = {"loss": TRUE, "pseudo": PSEUDO}  # of the losses in View.outputs, by where the boxes come from


def labels_of(targets: Mapping[str, Tensor]) -> list[Label]:
    """One record a page: `class_labels` [n], `boxes` [n, 4] and, where targets have them, `scores` [n].

    Without padding, and with nothing where boxes are UNKNOWN.
    """
    kept = (targets["classes"] != UNLABELLED) & (targets["origin"] != UNKNOWN)[:, None]
    names = {"classes": "class_labels", "boxes": "boxes", "scores": "scores"}
    found = {new: targets[name] for name, new in names.items() if name in targets}
    return [{name: values[row][keep] for name, values in found.items()} for row, keep in enumerate(kept)]


def rows_by_origin(targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rows [n] int64 of the pages for each prefix of losses: always `loss`, and `pseudo` where there are any."""
    rows = {prefix: (targets["origin"] == origin).nonzero().flatten() for prefix, origin in PREFIXES.items()}
    return {prefix: found for prefix, found in rows.items() if prefix == "loss" or len(found)}
