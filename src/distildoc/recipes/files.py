"""Read a run file: YAML, environment variables, a base to build on, and overrides."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from distildoc.recipes.config import RunConfig
from distildoc.recipes.settings import validated
from distildoc.schema.errors import ConfigError

MAX_BYTES = 1 << 20
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def read_run_file(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The run a YAML file describes.

    `base: OTHER.yaml` in the file (relative to it) is read first and overlaid key by key; lists are replaced.
    `${NAME}` and `${NAME:-default}` in strings are environment variables.
    Overrides are `key.key=value`, the value in YAML.
    """
    content = _read(path, seen=())
    for override in overrides:
        content = overlay(content, _parsed(override))
    return validated(RunConfig, _expanded(content, path), str(path))


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping below with the keys of the one above; mappings are merged, everything else is replaced.

    >>> overlay({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = overlay(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def config_hash(config: RunConfig) -> str:
    """16 hex digits of everything that determines a run; two runs with the same hash are the same run.

    Keys at their defaults are left out, so that a key that a later version adds does not make every run another one.
    """
    content = json.dumps(config.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def dump(config: RunConfig) -> str:
    """The run as YAML, every key written out."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise ConfigError(f"{path}: `base` goes round in a circle")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes; a run file is short YAML")
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such run file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {error}") from None
    except yaml.YAMLError as error:
        hint = '; put "${NAME}" inside {...} in quotes' if VARIABLE.search(text) else ""
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}{hint}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a run file is a mapping of keys, found {type(content).__name__}")
    base = content.pop("base", None)
    if base is None:
        return content
    return overlay(_read(path.parent / str(base), (*seen, path.resolve())), content)


def _parsed(override: str) -> dict[str, Any]:
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise ConfigError(f"override '{override}': write key.key=value, as in train.epochs=5")
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"override '{override}': the value is not valid YAML") from None
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _expanded(value: Any, path: Path) -> Any:
    if isinstance(value, dict):
        return {key: _expanded(item, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item, path) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: _variable(found, path), value)
    return value


def _variable(found: re.Match[str], path: Path) -> str:
    name, default = found[1], found[2]
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigError(f"{path}: environment variable {name} is not set; export it or write ${{{name}:-default}}")
    return value
