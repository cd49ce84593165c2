"""Several teachers: averaged into one View, or kept apart as experts."""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from distildoc.core.batch import Batch
from distildoc.core.teacher import Teacher
from distildoc.core.view import View
from distildoc.losses.precision import full
from distildoc.schema.errors import ConfigError
from distildoc.teach.aligned import Aligned
from distildoc.teach.live import joint_fingerprint


class Ensemble:
    """The mean of the members' probabilities, given as logits: log( mean_m softmax(z_m) ).

    Members are aligned with the first one's labels; InputError where the sets differ. An ensemble has no features;
    ConfigError for members that tap features.
    """

    features: tuple[str, ...] = ()

    def __init__(self, members: Sequence[Teacher]) -> None:
        self._members = _aligned(members, "an ensemble")
        for number, member in enumerate(members):
            if member.features:
                raise ConfigError(
                    f"an ensemble has no features of its own, but member {number} taps {list(member.features)}; "
                    "use a single teacher for methods that compare features"
                )
        self.labels = self._members[0].labels

    @property
    def fingerprint(self) -> str:
        return joint_fingerprint([member.fingerprint for member in self._members])

    @property
    def live(self) -> bool:
        return all(member.live for member in self._members)

    def __call__(self, batch: Batch) -> View:
        return _mean([member(batch) for member in self._members])


class Experts:
    """Every member's View, in order, for methods that choose among teachers; a term needs `experts` = their number.

    Members are aligned with the first one's labels; InputError where the sets differ.
    """

    def __init__(self, members: Sequence[Teacher]) -> None:
        self.members = _aligned(members, "a set of experts")
        self.labels = self.members[0].labels

    @property
    def fingerprint(self) -> str:
        return joint_fingerprint([member.fingerprint for member in self.members])

    @property
    def live(self) -> bool:
        return all(member.live for member in self.members)

    @property
    def features(self) -> tuple[str, ...]:
        """Those that every member has."""
        first, *others = self.members
        return tuple(name for name in first.features if all(name in member.features for member in others))

    def __call__(self, batch: Batch) -> tuple[View, ...]:
        return tuple(member(batch) for member in self.members)


def _mean(views: Sequence[View]) -> View:
    logits = [full(view.outputs["logits"]) for view in views]
    scores = functional.log_softmax(torch.stack(logits), -1)
    runs = [view.again for view in views if view.again is not None]
    again = (lambda pixels: _mean([run(pixels) for run in runs])) if len(runs) == len(views) else None
    return View({"logits": scores.logsumexp(0) - math.log(len(logits))}, again=again)


def _aligned(members: Sequence[Teacher], what: str) -> tuple[Teacher, ...]:
    if not members:
        raise ConfigError(f"{what} needs at least one teacher; name its runs")
    return tuple(Aligned(member, members[0].labels) for member in members)
