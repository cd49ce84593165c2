"""Models on disk: model.json says what to build, model.safetensors holds the weights.

Loading reads these two files and nothing else: no network, no pickles, no code from the folder.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from distildoc.core.model import Detector, Model, Normalise, Places
from distildoc.core.texts import Tokenise
from distildoc.models.build import body_from
from distildoc.models.detectors.parts import detector_body, detector_head, is_detector
from distildoc.models.heads import build_head
from distildoc.models.text.build import SOURCE as TEXT
from distildoc.models.text.build import text_body
from distildoc.schema.errors import InputError
from distildoc.schema.json_files import read_json
from distildoc.schema.writing import new_folder

FORMAT = 1
StartWith = Literal["body", "all", "classes"]  # what a model takes from the one it starts from
DESCRIPTION = "model.json"
WEIGHTS = "model.safetensors"
MAX_BYTES = 64 << 20  # of model.json, which holds the tokenizer of a model that reads texts


def save_model(model: Model, folder: str | Path) -> None:
    """Write model.json and model.safetensors; the folder appears whole or keeps what it had.

    Raises InputError where the disk is full.
    """
    with new_folder(Path(folder)) as part:
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in _state(model).items()}
        try:
            save_file(tensors, part / WEIGHTS)
        except SafetensorError as error:  # no OSError, even where the disk is full
            raise InputError(f"{folder}: cannot write the weights ({error}); free some space and try again") from None
        content = {"format": FORMAT, **_description(model)}
        (part / DESCRIPTION).write_text(json.dumps(content, indent=1), encoding="utf-8")


def load_model(folder: str | Path) -> Model:
    """The model that `save_model` wrote, on the CPU, in eval mode.

    Raises InputError, naming the file, where something is missing, truncated or does not fit.
    """
    path = Path(folder) / DESCRIPTION
    content = read_json(path, max_bytes=MAX_BYTES)
    if content.get("format") != FORMAT:
        raise InputError(f"{path}: format {content.get('format')!r}, this version reads {FORMAT}")
    try:
        model = _blank(content)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    _fill(model, _tensors(Path(folder) / WEIGHTS), str(Path(folder) / WEIGHTS))
    return model.eval()


def load_body(model: Model, folder: str | Path) -> None:
    """Start from the body of a saved model (its folder, or the run that holds it as `model/`); the head stays.

    Raises InputError where the two bodies are not of the same make.
    """
    path = _weights_in(Path(folder))
    body = {name: value for name, value in _tensors(path).items() if name.startswith("body.")}
    here = {name: value for name, value in _state(model).items() if name.startswith("body.")}
    _check_fit(here, body, str(path))
    model.load_state_dict(body, strict=False)


def load_start(model: Model, folder: str | Path, *, take: StartWith) -> None:
    """Start from a saved model as `load_body` does; `all` takes its head too, `classes` what it has for our classes.

    Raises InputError where the two are not of the same make, or with their heads have not the same labels.
    """
    if take != "all":
        load_body(model, folder)
        if take == "classes":
            _load_classes(model, _weights_in(Path(folder)))
        return
    path = _weights_in(Path(folder))
    labels = read_json(path.parent / DESCRIPTION, max_bytes=MAX_BYTES).get("labels")
    if labels != list(model.labels):
        raise InputError(
            f"{path.parent}: its head knows other labels ({_shown(labels)}) than this model ({_shown(model.labels)}); "
            "start from the body alone, or name the same classes in the same order"
        )
    _fill(model, _tensors(path), str(path))


def _load_classes(model: Model, path: Path) -> None:
    """The rows of another linear head whose classes this one knows too; the others keep their initial weights."""
    labels, found = read_json(path.parent / DESCRIPTION, max_bytes=MAX_BYTES).get("labels"), _tensors(path)
    names = [str(label) for label in labels] if isinstance(labels, list) else []
    shared = [name for name in model.labels if name in names]
    here, there = [model.labels.index(name) for name in shared], [names.index(name) for name in shared]
    head, saved = model.head, found.get("head.weight")
    if not isinstance(head, nn.Linear) or saved is None or saved.shape[1:] != head.weight.shape[1:] or not shared:
        raise InputError(
            f"{path.parent}: {len(shared)} of the classes {_shown(model.labels)} are in its head ({_shown(labels)}), "
            "and both heads must be linear and of one width to share them; start from the body alone"
        )
    with torch.no_grad():
        head.weight[here] = saved[there]
        head.bias[here] = found["head.bias"][there]


def _weights_in(folder: Path) -> Path:
    """The weights of a saved model, or of the run that holds it."""
    found = [path for path in (folder / WEIGHTS, folder / "model" / WEIGHTS) if path.is_file()]
    if not found:
        raise InputError(f"{folder}: no finished run or model there (no {WEIGHTS}); train it first or mend the path")
    return found[0]


def _shown(labels: object) -> str:
    """The first labels and their number."""
    names = [str(label) for label in labels] if isinstance(labels, list | tuple) else []
    return f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}: {len(names)}"


def fingerprint(model: Model) -> str:
    """32 hex digits of all that outputs and named features depend on: make, labels, normalisation, every tensor."""
    digest = hashlib.blake2b(json.dumps(_description(model), sort_keys=True).encode(), digest_size=16)
    for name, value in sorted(_state(model).items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        raw = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(raw.numpy().data)
    return digest.hexdigest()


def _state(model: Model) -> dict[str, Tensor]:
    return cast(dict[str, Tensor], model.state_dict())


def _description(model: Model) -> dict[str, object]:
    return {
        "labels": list(model.labels),
        "normalise": asdict(model.normalise),
        "places": asdict(model.places),
        "recipe": model.recipe,
    }


def _blank(content: Mapping[str, object]) -> Model:
    """The model of a description, weights yet to come."""
    recipe = _mapping(content, "recipe")
    normalise, places = _mapping(content, "normalise"), _mapping(content, "places")
    labels = content["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError("`labels` must be a list of names")
    spec, detects = _mapping(recipe, "head"), is_detector(recipe)
    return (Detector if detects else Model)(
        detector_body(recipe) if detects else any_body(recipe),
        detector_head(spec) if detects else build_head(spec),
        normalise=_normalise(normalise),
        labels=labels,
        places=Places(
            penultimate=str(places["penultimate"]),
            map=str(places["map"]),
            stages=tuple(str(stage) for stage in cast(list[object], places["stages"])),
            tokens=int(cast(int, places["tokens"])),
            levels=tuple(str(level) for level in cast(list[object], places.get("levels", []))),
        ),
        recipe=recipe,
    )


def any_body(recipe: Mapping[str, object]) -> nn.Module:
    """The body of a classifier of pages or texts that a recipe describes, weights yet to be loaded."""
    return text_body(recipe) if recipe.get("source") == TEXT else body_from(recipe)


def _normalise(content: Mapping[str, object]) -> Normalise | Tokenise:
    if "tokenizer" in content:
        return Tokenise(str(content["tokenizer"]))
    size = content["size"]
    return Normalise(_numbers(content["mean"]), _numbers(content["std"]), None if size is None else _pair(size))


def _mapping(content: Mapping[str, object], key: str) -> dict[str, object]:
    value = content.get(key)
    if not isinstance(value, dict):
        raise InputError(f"`{key}` must be a mapping, found {type(value).__name__}")
    return value


def _numbers(value: object) -> tuple[float, ...]:
    return tuple(float(item) for item in cast(list[float], value))


def _pair(value: object) -> tuple[int, int]:
    height, width = cast(list[int], value)
    return int(height), int(width)


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return cast(dict[str, Tensor], load_file(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; the model is incomplete, save or train it again") from None
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not readable weights ({error}); the file may be truncated, save it again") from None


def _fill(model: Model, tensors: dict[str, Tensor], where: str) -> None:
    _check_fit(_state(model), tensors, where)
    model.load_state_dict(tensors)


def _check_fit(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> None:
    """Same names and shapes, or an InputError that shows the first difference."""
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if missing or extra:
        raise InputError(
            f"{where}: weights of another network: {len(missing)} missing (first: {next(iter(missing), '-')}), "
            f"{len(extra)} unknown (first: {next(iter(extra), '-')})"
        )
    for name, value in wanted.items():
        if value.shape != found[name].shape:
            raise InputError(
                f"{where}: '{name}' has shape {tuple(found[name].shape)}, the network wants {tuple(value.shape)}; "
                "were size, channels or widths changed?"
            )
