"""Task: a value that says what is predicted, how it is supervised and how it is scored."""

from collections.abc import Callable
from dataclasses import dataclass

from distildoc.core.batch import Batch
from distildoc.core.method import Losses
from distildoc.core.view import View


@dataclass(frozen=True)
class Task:
    """What the student is for.

    labels   class names in the order of the outputs.
    outputs  names a View must carry.
    loss     supervised losses by name: scalars, means over the pages that have targets, 0 where none has.
    primary  name of the score that selects checkpoints (higher is better), as it stands in a Report.
    """

    name: str
    labels: tuple[str, ...]
    outputs: tuple[str, ...]
    loss: Callable[[View, Batch], Losses]
    primary: str
