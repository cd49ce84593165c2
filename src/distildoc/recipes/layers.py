"""Layers: YAML files that build on one another, environment variables in them, and changes laid over them."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from distildoc.schema.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_VALUES = 100_000  # with aliases written out; a few lines of them can stand for gigabytes
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def read_layers(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A YAML file laid over its `base: OTHER.yaml` (relative to it), and that over its own; ConfigError in one line."""
    if path.resolve() in seen:
        raise ConfigError(f"{path}: `base` goes round in a circle")
    content = read_yaml(path)
    base = content.pop("base", None)
    if base is None:
        return content
    return overlay(read_layers(path.parent / str(base), (*seen, path.resolve())), content)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, as it stands; raises ConfigError where there is none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes; such a file is short YAML")
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {error}") from None
    except yaml.YAMLError as error:
        hint = '; put "${NAME}" inside {...} in quotes' if VARIABLE.search(text) else ""
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}{hint}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply; such a file is short YAML") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: such a file is a mapping of keys, found {type(content).__name__}")
    _refuse_endless(content, path)
    return content


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping below with the keys of the one above; mappings are merged, everything else is replaced.

    A mapping of another `kind` or `name` replaces the one below as well: settings belong to what they are settings of.

    >>> overlay({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    >>> overlay({"data": {"hold_out": 0.1}}, {"data": {"kind": "folder", "path": "pages"}})
    {'data': {'kind': 'folder', 'path': 'pages'}}
    >>> overlay({"model": {"name": "cnn-micro", "depths": [1, 1]}}, {"model": {"name": "cnn-small"}})
    {'model': {'name': 'cnn-small'}}
    """
    merged = dict(below)
    for key, value in above.items():
        merged[key] = _laid(merged.get(key), value)
    return merged


def changed(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The content with some changes; a dotted key reaches into mappings, and into lists by position.

    Raises ConfigError for a position that a list does not have.

    >>> changed({"terms": [{"weight": 1.0}], "name": "a"}, {"terms.0.weight": 0.5, "train": {"epochs": 3}})
    {'terms': [{'weight': 0.5}], 'name': 'a', 'train': {'epochs': 3}}
    """
    result: Any = dict(content)
    for key, value in changes.items():
        result = _put(result, key.split("."), value, key)
    return dict(result)


def parsed(override: str) -> dict[str, Any]:
    """`key.key=value`, the value in YAML, as a change."""
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise ConfigError(f"override '{override}': write key.key=value, as in train.epochs=5")
    try:
        return {key: yaml.safe_load(text)}
    except yaml.YAMLError:
        raise ConfigError(f"override '{override}': the value is not valid YAML") from None


def expanded(value: Any, path: Path) -> Any:
    """`${NAME}` and `${NAME:-default}` in all strings replaced by environment variables."""
    if isinstance(value, dict):
        return {key: expanded(item, path) for key, item in value.items()}
    if isinstance(value, list):
        return [expanded(item, path) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: _variable(found, path), value)
    return value


def _refuse_endless(content: Any, path: Path) -> None:
    """Raises ConfigError where aliases make more of a file than anybody writes, or go round in a circle."""
    waiting, seen = [content], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen + len(waiting) > MAX_VALUES:
            raise ConfigError(f"{path}: its aliases (*name) stand for more than {MAX_VALUES} values; write fewer out")
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value


def _laid(below: Any, above: Any) -> Any:
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    if any(key in above and above[key] != below.get(key) for key in ("kind", "name")):
        return above
    return overlay(below, above)


def _put(content: Any, parts: list[str], value: Any, key: str) -> Any:
    if not parts:
        return _laid(content, value)
    head, *rest = parts
    if isinstance(content, list):
        if not head.isdigit() or int(head) >= len(content):
            raise ConfigError(f"'{key}': no position '{head}' in a list of {len(content)}; the first one is 0")
        position = int(head)
        return [*content[:position], _put(content[position], rest, value, key), *content[position + 1 :]]
    below = dict(content) if isinstance(content, Mapping) else {}
    return {**below, head: _put(below.get(head), rest, value, key)}


def _variable(found: re.Match[str], path: Path) -> str:
    name, default = found[1], found[2]
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigError(f"{path}: environment variable {name} is not set; export it or write ${{{name}:-default}}")
    return value
