"""Live: a teacher that runs a model on every batch."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.model import Model
from distildoc.core.taps import Taps
from distildoc.core.view import View
from distildoc.models.load import fingerprint
from distildoc.teach.fisher import view_with_weights, weighed_taps


class Live:
    """Runs a frozen model in evaluation mode, without gradients; it is no part of the distiller.

    taps     features its Views carry, by alias or module path; TapError for a path that is not there. A name of
             core.taps.weights_tap gives the roots of a tap's Fisher weights, with backward passes through the model.
    outputs  False ends the forward at the deepest tap, where nothing reads the logits.

    The model itself is frozen, put in evaluation mode, and moved to wherever the pixels are. The precision is the
    caller's (autocast is left as it is).
    """

    live = True

    def __init__(self, model: Model, *, taps: Sequence[str] = (), outputs: bool = True) -> None:
        self._model = model.eval().requires_grad_(False)
        self._outputs = outputs
        self._weighed = weighed_taps(taps)
        hooked = [tap for tap in taps if tap not in self._weighed]
        hooked += [tap for _, tap in self._weighed.values() if tap not in hooked]
        self._taps = Taps(model, tuple(dict.fromkeys(hooked)), outputs=outputs)
        self._fingerprint = fingerprint(model)
        self.labels = model.labels
        self.features = tuple(taps)

    @property
    def fingerprint(self) -> str:
        """Of the weights and the recipe; which features are tapped does not change them."""
        return self._fingerprint

    def __call__(self, batch: Batch) -> View:
        self._taps.outputs = self._outputs or bool(self._weighed)
        if next(self._model.parameters()).device != batch.inputs.device:  # `to` itself walks all modules at every step
            self._model.to(batch.inputs.device)
        if self._weighed:
            found = view_with_weights(self._taps, batch, self._weighed)
            view = replace(found, features={tap: found.features[tap] for tap in self.features})
        else:
            with torch.no_grad():
                view = self._taps(batch.inputs)
        return replace(view, again=self._again, probe=self._again)

    def to(self, device: torch.device | str) -> "Live":
        self._model.to(device)
        return self

    def _again(self, pixels: Tensor) -> View:
        """Full outputs and features on other pixels, with gradients to them though not to the weights."""
        self._taps.outputs = True
        with torch.enable_grad():
            return replace(self._taps(pixels), again=self._again, probe=self._again)


def joint_fingerprint(parts: Sequence[str]) -> str:
    """One fingerprint of several, in order; 32 hex digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
