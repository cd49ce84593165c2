"""TrainState: everything a training run changes, and how it begins."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from torch import nn
from torch.optim import Optimizer

from distildoc.core.clock import Clock, Schedule, constant
from distildoc.core.model import Model
from distildoc.schema.errors import ConfigError
from distildoc.train.ema import Ema
from distildoc.train.finite import FiniteWatch
from distildoc.train.optimisers import build_optimiser

LOOK_EVERY = 16  # steps between two readings of the finite-loss verdicts on an accelerator; 1 on a CPU


@dataclass(frozen=True)
class Optimisation:
    """How weights move.

    name, settings  a key of `OPTIMISERS` and the keyword arguments of that function.
    lr              base learning rate at the peak of `schedule`, which gives a factor on it.
    weight_decay    for matrices and kernels only.
    ema             decay of the running mean of the student's weights; None for no EMA.
    """

    name: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.0
    settings: Mapping[str, object] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=lambda: constant(1.0))
    ema: float | None = None


@dataclass(frozen=True)
class Horizon:
    """How long the training is: batches an epoch (of this process), epochs, batches an optimiser step.

    The last step of an epoch takes what is left, so a step never spans two epochs.
    """

    batches: int
    epochs: int
    accumulate: int = 1

    def __post_init__(self) -> None:
        for name in ("batches", "epochs", "accumulate"):
            if getattr(self, name) < 1:
                raise ConfigError(f"training needs at least one of `{name}`, got {getattr(self, name)}")

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return -(-self.batches // self.accumulate) * self.epochs


@dataclass(frozen=True)
class Best:
    """The best validation score so far (higher is better), after which epoch (from 1) and optimiser step."""

    score: float
    epoch: int
    step: int


@dataclass
class TrainState:
    """What one run trains, and where it stands.

    distiller   the bare module: student and whatever the methods learn; its names are those of the checkpoint.
    module      what is called: the distiller, wrapped where there are several processes.
    optimiser   torch's own; Accelerate's wrapper looks for a library on the disk at every step (0.5 ms).
    step        optimiser steps done; `epoch` epochs done; `batch` batches done of the epoch at hand.
    seconds     spent in steps, over all resumptions.
    """

    distiller: nn.Module
    module: nn.Module
    optimiser: Optimizer
    accelerator: Accelerator
    schedule: Schedule
    ema: Ema | None
    watch: FiniteWatch
    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    best: Best | None = None

    @property
    def student(self) -> Model:
        return student_of(self.distiller)

    def clock(self, horizon: Horizon) -> Clock:
        return Clock(self.step, horizon.steps, self.epoch + self.batch / horizon.batches)


def forget_moments(state: TrainState) -> None:
    """The optimiser as it began: no moments, no count of steps. Weights and learning rates stay.

    For losses whose size changes much: the second moments of large gradients hold back the steps of small ones.
    """
    state.optimiser.state.clear()


def student_of(distiller: nn.Module) -> Model:
    """The student inside a Distiller; raises TypeError where there is none."""
    student = distiller.get_submodule("student")
    if not isinstance(student, Model):
        raise TypeError(f"a distiller's student is a Model, not {type(student).__name__}")
    return student


def begin(
    distiller: nn.Module,
    accelerator: Accelerator,
    *,
    optimisation: Optimisation,
    seed: int,
    compile_backend: str | None = None,
) -> TrainState:
    """A run before its first step, on the accelerator's device.

    seed             of dropout and whatever else draws from torch while training; each process adds its rank.
    compile_backend  "inductor" to run the student through `torch.compile`; its taps must be attached by then.
    Raises ConfigError for settings that do not fit.
    """
    distiller.to(accelerator.device)
    student = student_of(distiller)
    if compile_backend is not None:
        student.compile(backend=compile_backend)
    optimiser = build_optimiser(
        optimisation.name,
        distiller,
        lr=optimisation.lr,
        weight_decay=optimisation.weight_decay,
        settings=optimisation.settings,
    )
    module = accelerator.prepare_model(distiller)
    torch.manual_seed(seed + accelerator.process_index)
    return TrainState(
        distiller=distiller,
        module=module,
        optimiser=optimiser,
        accelerator=accelerator,
        schedule=optimisation.schedule,
        ema=None if optimisation.ema is None else Ema(student, decay=optimisation.ema),
        watch=FiniteWatch(every=1 if accelerator.device.type == "cpu" else LOOK_EVERY),
    )
