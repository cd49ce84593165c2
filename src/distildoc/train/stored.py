"""Tensors of a run by name, and one safetensors file that is whole or not there.

A checkpoint is one file, because replacing a file is atomic and replacing a folder is not: whenever the process dies,
the file under the name is the old one or the new one. What is no tensor travels as JSON in the file's header.
Nothing is pickled.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from distildoc.schema.errors import InputError

HEADER = "distildoc"  # key of our JSON among the metadata of the file
Facts = dict[str, object]


def module_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Weights and persistent buffers by name, each tensor once: shared weights go under their first name."""
    seen: set[int] = set()
    found: dict[str, Tensor] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if isinstance(tensor, Tensor) and id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor
    return found


def optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """Moments and counters as `<key>/<name of the weight>`; the optimiser was built from named weights."""
    found: dict[str, Tensor] = {}
    for group in optimiser.param_groups:
        for name, weight in zip(group["param_names"], group["params"], strict=True):
            for key, value in optimiser.state.get(weight, {}).items():
                if isinstance(value, Tensor):
                    found[f"{key}/{name}"] = value
                elif value is not None:
                    raise TypeError(f"optimiser state '{key}' of '{name}' is no tensor but {type(value).__name__}")
    return found


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimiser_tensors`; a moment takes the memory layout of its weight, as fused kernels need it."""
    weights = {
        name: weight
        for group in optimiser.param_groups
        for name, weight in zip(group["param_names"], group["params"], strict=True)
    }
    index = {name: i for i, name in enumerate(weights)}
    state: dict[int, dict[str, Tensor]] = {}
    for path, value in tensors.items():
        key, name = path.split("/", 1)
        if name not in weights:
            raise InputError(f"the checkpoint has optimiser state for '{name}', which this run does not train")
        if value.shape == weights[name].shape:
            value = torch.empty_like(weights[name], dtype=value.dtype).copy_(value)
        state.setdefault(index[name], {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


@torch.no_grad()
def copy_into(targets: Mapping[str, Tensor], tensors: Mapping[str, Tensor], *, where: str) -> None:
    """Overwrite the targets in place; raises InputError where names or shapes differ."""
    missing, extra = sorted(set(targets) - set(tensors)), sorted(set(tensors) - set(targets))
    if missing or extra:
        raise InputError(
            f"{where} has other weights than this run: it lacks {missing[:3]}, and only it has {extra[:3]}"
        )
    for name, target in targets.items():
        if target.shape != tensors[name].shape:
            raise InputError(
                f"{where}: '{name}' has the shape {tuple(tensors[name].shape)}, this run needs {tuple(target.shape)}"
            )
    for name, target in targets.items():
        target.copy_(tensors[name])


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Facts) -> None:
    """Write a temporary sibling, flush it to the disk, rename; raises InputError where the disk refuses."""
    partial = path.with_name(f".{path.name}.partial")
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(whole, partial, metadata={HEADER: json.dumps(facts, allow_nan=False)})
        _flush(partial)
        partial.replace(path)
        if os.name == "posix":  # elsewhere a folder cannot be opened
            _flush(path.parent)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise InputError(f"cannot write the checkpoint {path}: {error}; free space or name another folder") from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Facts]:
    """Tensors and facts of a file `write_tensors` wrote; raises InputError where it is damaged or something else."""
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})[HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path} is damaged or no checkpoint ({error}); delete it to begin anew") from error
    if not isinstance(facts, dict):
        raise InputError(f"{path} is no checkpoint; delete it to begin anew")
    return tensors, facts


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
