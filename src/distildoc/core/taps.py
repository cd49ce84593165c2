"""Taps: read features of a model by alias or module path, through forward hooks."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from distildoc.core.model import Model, evaluating
from distildoc.core.view import View
from distildoc.schema.errors import TapError, closest

ALIASES = ("penultimate", "map", "early", "middle", "late", "stage:N", "depth:F", "level:N")


def resolve(model: Model, tap: str) -> str:
    """Module path of a tap.

    Aliases: `penultimate`, `map` (last features before pooling), `early` / `middle` / `late` (a quarter, half,
    all of the blocks), `stage:N` (block N from 0, negative from the end), `depth:F` (share F of the blocks), and of a
    detector `level:N` (map N of its pyramid, from fine to coarse).
    Anything else is a module path, from the model or from its network. Raises TapError with the closest names.
    """
    if tap == "penultimate":
        if not model.places.penultimate:
            raise TapError("a detector has no `penultimate` vector; tap its pyramid with level:N, or its stages")
        return model.places.penultimate
    if tap == "map":
        return model.places.map
    shares = {"early": 0.25, "middle": 0.5, "late": 1.0}
    stages = model.places.stages
    if tap in shares:
        return stages[_at_share(shares[tap], len(stages))]
    if found := re.fullmatch(r"(stage|level):(-?\d+)", tap):
        return _numbered(tap, found[1], int(found[2]), stages if found[1] == "stage" else model.places.levels)
    if found := re.fullmatch(r"depth:([0-9.]+)", tap):
        share = float(found[1])
        if not 0 < share <= 1:
            raise TapError(f"tap '{tap}': the share must be above 0 and at most 1")
        return stages[_at_share(share, len(stages))]
    return _module_path(model, tap)


def weights_tap(tap: str, draws: int = 0) -> str:
    """The name under which a teacher gives the roots of a tap's Fisher weights: of all classes, or some drawn ones."""
    return f"fisher{draws}:{tap}"


def weighed_tap(name: str) -> tuple[int, str] | None:
    """Draws and tap of such a name; None for a tap of features.

    >>> weighed_tap(weights_tap("stage:2", draws=4))
    (4, 'stage:2')
    """
    found = re.fullmatch(r"fisher(\d{1,6}):(.+)", name)
    return found and (int(found[1]), found[2])


def _numbered(tap: str, kind: str, index: int, places: Sequence[str]) -> str:
    if not -len(places) <= index < len(places):
        known = f"{len(places)} {kind}s, 0 to {len(places) - 1}" if places else f"no {kind}s"
        raise TapError(f"tap '{tap}': the model has {known}")
    return places[index]


def _at_share(share: float, count: int) -> int:
    return max(0, round(share * count) - 1)


def _module_path(model: Model, tap: str) -> str:
    names = [name for name, _ in model.named_modules() if name]
    for prefix in ("", "body.", "body.network."):
        if prefix + tap in names:
            return prefix + tap
    network = [name.removeprefix("body.network.") for name in names]
    raise TapError(f"no module '{tap}' in {type(model.body).__name__}; {closest(tap, [*network, *ALIASES])}")


class _Stop(Exception):
    """Raised inside a forward once everything wanted has been seen."""


class Taps:
    """Hooks on one model; use as a context manager, or call `remove` when done.

    `outputs=False` ends the forward at the deepest tapped module (only where gradients are off).
    The same module may carry several taps; two Taps never share state, and hooks do nothing in a forward that
    their own Taps did not start.
    """

    def __init__(self, model: Model, names: Sequence[str], *, outputs: bool = True) -> None:
        self.model = model
        self.outputs = outputs
        self._running = False
        self._paths = {name: resolve(model, name) for name in names}
        self._seen: dict[str, Tensor] = {}
        modules = dict(model.named_modules())
        for name, path in self._paths.items():
            if path not in modules:
                raise TapError(f"tap '{name}': the model names '{path}' as its place, and has no such module")
        self._handles = [modules[path].register_forward_hook(self._keep(path)) for path in set(self._paths.values())]

    def __call__(self, pixels: Tensor, targets: Mapping[str, Tensor] | None = None) -> View:
        """Run the model; features come under the names they were asked for, in the module's own shape.

        Targets, where given, are for models that make their own supervised losses (detectors).
        """
        self._seen.clear()
        self._running = True
        try:
            outputs = self.model(pixels, targets)
        except _Stop:
            outputs = {}
        finally:
            self._running = False
        missing = [name for name, path in self._paths.items() if path not in self._seen]
        if missing:
            raise TapError(f"the forward of {type(self.model.body).__name__} never ran the taps {missing}")
        features = {name: self._seen[path] for name, path in self._paths.items()}
        self._seen = {}
        return View(outputs, features)

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> "Taps":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _keep(self, path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            if not self._running:
                return
            self._seen[path] = as_tensor(output, path)
            if not self.outputs and len(self._seen) == len(set(self._paths.values())):
                raise _Stop

        return hook


def as_tensor(output: Any, path: str) -> Tensor:
    """The tensor a module gave, or the first one of the record or tuple it gave."""
    if isinstance(output, Tensor):
        return output
    values = output.values() if hasattr(output, "values") else output
    for value in values:
        if isinstance(value, Tensor):
            return value
    raise TapError(f"module '{path}' gives no tensor but {type(output).__name__}; tap one of its children")


def shapes(model: Model, names: Sequence[str], size: tuple[int, int]) -> dict[str, torch.Size]:
    """Shapes of the tapped features without the batch axis, from one forward on a blank page of (height, width)."""
    device = next(model.parameters()).device
    with evaluating(model), Taps(model, names) as taps, torch.no_grad():
        view = taps(torch.ones(1, 3, *size, device=device))
    return {name: feature.shape[1:] for name, feature in view.features.items()}
