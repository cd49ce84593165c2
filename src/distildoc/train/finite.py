"""Stop at the first loss or gradient that is not finite, naming step, term and pages."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from distildoc.core.batch import Key
from distildoc.schema.errors import InputError

GRADIENT = "gradient"  # stands for a term where the losses themselves are finite
PAGES_SHOWN = 8  # in the message; `pages` of the error has them all


class NonFiniteLoss(InputError):
    """A loss or the gradient became NaN or infinite.

    step   the optimiser step that was being taken, counted from 1 as in the records.
    terms  the losses that are not finite, by name; `gradient` where all losses are finite and their gradient is not.
    pages  ids of the pages of the batches concerned.
    """

    def __init__(self, step: int, terms: Mapping[str, float], pages: Sequence[str]) -> None:
        self.step = step
        self.terms = dict(terms)
        self.pages = tuple(pages)
        what = ", ".join(
            f"the gradient is {value}" if name == GRADIENT else f"term '{name}' is {value}"
            for name, value in terms.items()
        )
        shown = ", ".join(self.pages[:PAGES_SHOWN])
        more = f" and {len(self.pages) - PAGES_SHOWN} more" if len(self.pages) > PAGES_SHOWN else ""
        super().__init__(
            f"step {step}: {what} on the pages {shown}{more}; lower the learning rate, clip the gradient, "
            "lengthen the warm-up, or look at these pages"
        )


@dataclass(frozen=True)
class Part:
    """The losses of one forward, detached, and the pages behind them."""

    losses: Mapping[str, Tensor]
    total: Tensor
    keys: tuple[Key, ...]


class FiniteWatch:
    """Looks at every step; reads the verdicts every so many steps, because reading waits for the device.

    every=1 (used on a CPU) reads before the optimiser steps, so the weights stay clean. Where it is larger, `settle`
    must run before anything is written.
    """

    def __init__(self, *, every: int) -> None:
        self.every = every
        self._open: list[tuple[int, Sequence[Part], Tensor | None, Tensor]] = []

    def look(self, step: int, parts: Sequence[Part], norm: Tensor | None) -> None:
        """Note a step's losses and the norm of its gradient (None: not judged); may raise NonFiniteLoss."""
        values = [part.total for part in parts] + ([] if norm is None else [norm])
        fine = torch.isfinite(torch.stack([value.float() for value in values])).all()
        self._open.append((step, parts, norm, fine))
        if len(self._open) >= self.every:
            self.settle()

    def settle(self) -> None:
        """Read every verdict not read yet; raises NonFiniteLoss for the first bad step."""
        taken, self._open = self._open, []
        if not taken or bool(torch.stack([fine for *_, fine in taken]).all()):
            return
        for step, parts, norm, fine in taken:
            if not bool(fine):
                raise _describe(step, parts, norm)


def _describe(step: int, parts: Sequence[Part], norm: Tensor | None) -> NonFiniteLoss:
    bad = [part for part in parts if not math.isfinite(float(part.total))]
    terms: dict[str, float] = {}
    for part in bad:
        values = {name: float(value) for name, value in part.losses.items()}
        wrong = {name: value for name, value in values.items() if not math.isfinite(value)}
        terms |= wrong or {"total": float(part.total)}
    if not bad and norm is not None:
        terms[GRADIENT] = float(norm)
    return NonFiniteLoss(step, terms, [key.page for part in bad or parts for key in part.keys])
