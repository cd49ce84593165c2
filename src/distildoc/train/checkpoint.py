"""Checkpoints: going on as if the run had never stopped.

`last.safetensors` holds the whole state: weights of student and methods, optimiser, EMA, torch's random states of
every process, counters. `best-<step>.safetensors` holds the student that scored best; `last` names it, and older
ones go only after `last` is written, so the two agree whenever the process dies. On a CPU the resumed run gives
the same weights bit for bit, given a loader whose order is a function of seed and epoch.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from distildoc.schema.errors import InputError
from distildoc.train.state import Best, TrainState
from distildoc.train.stored import (
    Facts,
    copy_into,
    module_tensors,
    optimiser_tensors,
    read_tensors,
    restore_optimiser,
    write_tensors,
)

FORMAT = 1
LAST = "last.safetensors"


class Checkpoints:
    """The checkpoints of one run in one folder.

    identity       hash of everything that makes the run what it is; a checkpoint of another one is refused.
    every_steps    save after so many steps; every_seconds: or so much time, whichever comes first. None: never.
                   An epoch's end always saves.
    """

    def __init__(
        self, folder: Path, *, identity: str, every_steps: int | None = None, every_seconds: float | None = 300.0
    ) -> None:
        self.folder = folder
        self.identity = identity
        self.every_steps = every_steps
        self.every_seconds = every_seconds
        self._saved_at = time.monotonic()

    @property
    def last(self) -> Path:
        return self.folder / LAST

    def due(self, state: TrainState) -> bool:
        """Whether it is time; by steps alone where there are several processes, whose clocks differ."""
        if self.every_steps is not None and state.step % self.every_steps == 0:
            return True
        alone = state.accelerator.num_processes == 1
        return alone and self.every_seconds is not None and time.monotonic() - self._saved_at >= self.every_seconds

    def save(self, state: TrainState) -> None:
        """Write `last`; every process must call it at the same step. Raises NonFiniteLoss rather than write NaN."""
        state.watch.settle()
        random = _random_states(state)  # of all processes
        if state.accelerator.is_main_process:
            tensors = _tensors(state) | random
            write_tensors(self.last, tensors, _facts(state, self.identity))
            for path in self.folder.glob("best-*.safetensors"):
                if state.best is None or path != self._best(state.best):
                    path.unlink()
        state.accelerator.wait_for_everyone()
        self._saved_at = time.monotonic()

    def save_best(self, state: TrainState) -> None:
        """Write the student as it is now under the name that `state.best` gives it."""
        state.watch.settle()
        if state.best is not None and state.accelerator.is_main_process:
            facts: Facts = {"format": FORMAT, "identity": self.identity, **asdict(state.best)}
            write_tensors(self._best(state.best), module_tensors(state.student), facts)

    def restore(self, state: TrainState) -> bool:
        """Take up `last` where there is one; False where there is none.

        Raises InputError for a checkpoint of another run, of another number of processes, or a damaged one.
        """
        if not self.last.exists():
            return False
        tensors, facts = read_tensors(self.last)
        self._check(facts, self.last)
        world = state.accelerator.num_processes
        if facts.get("world") != world:
            raise InputError(
                f"{self.last} was written by {facts.get('world')} processes and this run has {world}; start as many, "
                "or name another run folder"
            )
        groups = _split(tensors)
        copy_into(module_tensors(state.distiller), groups.get("distiller", {}), where=str(self.last))
        if state.ema is not None:
            copy_into(state.ema.shadow, groups.get("ema", {}), where=str(self.last))
        restore_optimiser(state.optimiser, groups.get("optimiser", {}))
        _restore_random(state, groups.get("random", {}))
        self._restore_facts(state, facts)
        return True

    def load_best(self, state: TrainState) -> None:
        """Overwrite the student with the best one."""
        if state.best is None:
            return
        tensors, facts = read_tensors(self._best(state.best))
        self._check(facts, self._best(state.best))
        copy_into(module_tensors(state.student), tensors, where=str(self._best(state.best)))

    def _best(self, best: Best) -> Path:
        return self.folder / f"best-{best.step:08d}.safetensors"

    def _check(self, facts: Facts, path: Path) -> None:
        if facts.get("format") != FORMAT:
            raise InputError(f"{path} has the checkpoint format {facts.get('format')}, this version reads {FORMAT}")
        if facts.get("identity") != self.identity:
            raise InputError(
                f"{path} belongs to another configuration ({str(facts.get('identity'))[:12]}, this run is "
                f"{self.identity[:12]}); name another run folder, or delete {self.folder} to begin anew"
            )

    def _restore_facts(self, state: TrainState, facts: Facts) -> None:
        try:
            state.step, state.epoch, state.batch = (int(cast(int, facts[name])) for name in ("step", "epoch", "batch"))
            state.seconds = float(cast(float, facts["seconds"]))
            best = facts["best"]
            state.best = Best(**best) if isinstance(best, dict) else None
            if state.accelerator.scaler is not None:
                state.accelerator.scaler.load_state_dict(facts["scaler"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self.last} is damaged ({error}); delete it to begin anew") from error


def _tensors(state: TrainState) -> dict[str, Tensor]:
    tensors = {f"distiller/{name}": tensor for name, tensor in module_tensors(state.distiller).items()}
    tensors |= {f"optimiser/{name}": tensor for name, tensor in optimiser_tensors(state.optimiser).items()}
    if state.ema is not None:
        tensors |= {f"ema/{name}": tensor for name, tensor in state.ema.shadow.items()}
    return tensors


def _facts(state: TrainState, identity: str) -> Facts:
    scaler = state.accelerator.scaler
    return {
        "format": FORMAT,
        "identity": identity,
        "world": state.accelerator.num_processes,
        "step": state.step,
        "epoch": state.epoch,
        "batch": state.batch,
        "seconds": state.seconds,
        "best": None if state.best is None else asdict(state.best),
        "scaler": None if scaler is None else scaler.state_dict(),
    }


def _split(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    groups: dict[str, dict[str, Tensor]] = {}
    for path, tensor in tensors.items():
        kind, _, name = path.partition("/")
        groups.setdefault(kind, {})[name] = tensor
    return groups


def _random_states(state: TrainState) -> dict[str, Tensor]:
    """Torch's generators of every process, [processes, bytes]."""
    accelerator = state.accelerator
    states = {"random/cpu": torch.get_rng_state()}
    if accelerator.device.type == "cuda":
        states["random/cuda"] = torch.cuda.get_rng_state(accelerator.device)
    return {name: accelerator.gather(own[None].to(accelerator.device)).cpu() for name, own in states.items()}


def _restore_random(state: TrainState, tensors: dict[str, Tensor]) -> None:
    row = state.accelerator.process_index
    try:
        torch.set_rng_state(tensors["cpu"][row])
        if state.accelerator.device.type == "cuda" and "cuda" in tensors:
            torch.cuda.set_rng_state(tensors["cuda"][row], state.accelerator.device)
    except (KeyError, IndexError, RuntimeError, TypeError) as error:
        raise InputError(f"the checkpoint's random state is damaged ({error}); delete it to begin anew") from error
