"""Fisher weights of a teacher's features as features of their own: a cache holds them as it holds the others.

What is given is their square root: the weights themselves, squared gradients, may be too small for half precision.
"""

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from distildoc.core.batch import Batch, Key
from distildoc.core.taps import Taps, weighed_tap
from distildoc.core.view import View
from distildoc.losses.gradients import drawn_feature_weights, feature_weights
from distildoc.schema.errors import ConfigError

Weighed = Mapping[str, tuple[int, str]]  # name of the weights: draws, and the tap they are of


def weighed_taps(taps: Sequence[str]) -> Weighed:
    """Those of some taps that are the weights of another one."""
    found = {tap: weighed_tap(tap) for tap in taps}
    return {tap: parts for tap, parts in found.items() if parts is not None}


def view_with_weights(taps: Taps, batch: Batch, weighed: Weighed) -> View:
    """The teacher's View of a batch, with the roots of the Fisher weights of some features that it taps; all detached.

    Classes are drawn with the page's own random numbers, so that a page has the same weights in every batch.
    Raises ConfigError for texts, through whose tokens there is no gradient, and for a detector.
    """
    if not batch.inputs.is_floating_point():
        raise ConfigError(
            "gradients to a deeper layer are of pages, and this run reads texts; compare `penultimate`, which the head "
            "reads"
        )
    with torch.enable_grad():
        view = taps(batch.inputs.detach().clone().requires_grad_())
        logits = view.outputs["logits"]
        if logits.ndim != 2:
            raise ConfigError(
                f"Fisher weights ({', '.join(weighed)}) are those of a classifier, and the teacher is none"
            )
        weights = {
            name: _weights(logits, view.features[tap], draws=draws, keys=batch.keys).sqrt()
            for name, (draws, tap) in weighed.items()
        }
    outputs = {name: values.detach() for name, values in view.outputs.items()}
    return View(outputs, {name: values.detach() for name, values in {**view.features, **weights}.items()})


def _weights(logits: Tensor, feature: Tensor, *, draws: int, keys: Sequence[Key]) -> Tensor:
    if not draws:
        return feature_weights(logits, feature)
    shares = logits.detach().float().softmax(-1).cpu()
    drawn = [_drawn(share, draws, key) for share, key in zip(shares, keys, strict=True)]
    return drawn_feature_weights(logits, feature, torch.stack(drawn).to(logits.device))


def _drawn(shares: Tensor, draws: int, key: Key) -> Tensor:
    """Classes [draws] of one page, the same whenever it is asked for."""
    seed = hashlib.sha256(f"{key.page}/{key.augmentation}".encode(errors="surrogateescape")).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(seed[:7]))
    return torch.multinomial(shares, draws, replacement=True, generator=generator)
