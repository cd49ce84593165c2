"""The Accelerator: device, precision and processes, whether started by python, torchrun or accelerate launch."""

import atexit
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, GradientAccumulationPlugin

from distildoc.schema.errors import ConfigError

Precision = Literal["no", "bf16", "fp16"]
TRACKERS = {"tensorboard": "tensorboard"}  # name to the library that must be there


def make_accelerator(
    precision: Precision | None = None,
    *,
    cpu: bool = False,
    trackers: Sequence[str] = (),
    project: Path | None = None,
    unused_parameters: bool = False,
) -> Accelerator:
    """Settings of `accelerate launch` and `torchrun` come from the environment; the arguments here add to them.

    precision          "no" is fp32; None takes what `accelerate launch` was told.
    trackers           "tensorboard", writing into the folder `project`; needs the extra `track`.
    unused_parameters  with several processes: some weights may get no gradient in a step (a term of weight 0).
    Raises ConfigError where the device cannot do it, ImportError where a tracker's library is missing.
    """
    _check_trackers(trackers, project)
    if precision == "fp16" and (cpu or not torch.cuda.is_available()):
        raise ConfigError("precision 'fp16' needs a GPU; on a CPU use 'bf16' or 'no'")
    if precision is not None and AcceleratorState._shared_state.get("_mixed_precision", precision) != precision:
        AcceleratorState._reset_state()  # one process may train several runs; accelerate fixes the first precision
    accelerator = Accelerator(
        mixed_precision=precision,
        cpu=cpu or not torch.accelerator.is_available(),  # else processes without a GPU would not find each other
        log_with=list(trackers) or None,
        project_dir=project,
        # accumulation is weighed by pages in `steps`; without this, a flag of the launcher would divide a second time
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=unused_parameters)],
    )
    if accelerator.num_processes > 1:
        atexit.register(accelerator.state.destroy_process_group)  # else its threads may outlive it and abort the exit
    return accelerator


def _check_trackers(trackers: Sequence[str], project: Path | None) -> None:
    for name in trackers:
        if name not in TRACKERS:
            raise ConfigError(f"unknown tracker '{name}'; known: {', '.join(TRACKERS)}")
        if find_spec(TRACKERS[name]) is None:
            raise ImportError(f"the tracker '{name}' needs {TRACKERS[name]}: install distildoc[track]")
        if project is None:
            raise ConfigError(f"the tracker '{name}' needs a folder to write into")
