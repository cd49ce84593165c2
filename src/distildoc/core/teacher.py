"""Teacher: whatever turns a Batch into a View without being trained."""

from typing import Protocol, runtime_checkable

from distildoc.core.batch import Batch
from distildoc.core.view import View


@runtime_checkable
class Teacher(Protocol):
    """Live, ensemble or cached: the same protocol, so that they nest.

    fingerprint  changes when the outputs for some pixels may change: hash of weights and settings.
    labels       class names in the order of the logits it returns.
    live         True where it can run on pixels it has not seen.
    features     names of the tapped features its Views carry, so that a missing one is found before the first step.
    """

    @property
    def fingerprint(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def live(self) -> bool: ...

    @property
    def features(self) -> tuple[str, ...]: ...

    def __call__(self, batch: Batch) -> View:
        """Outputs and tapped features, detached from any graph."""
        ...
