"""Read a run file: YAML, environment variables, a base to build on, and overrides."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from distildoc.recipes.config import RunConfig
from distildoc.recipes.layers import changed, expanded, parsed, read_layers
from distildoc.recipes.settings import validated


def read_run_file(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The run a YAML file describes.

    `base: OTHER.yaml` in the file (relative to it) is read first and overlaid key by key; lists are replaced.
    `${NAME}` and `${NAME:-default}` in strings are environment variables.
    Overrides are `key.key=value`, the value in YAML; a number counts into a list, as in terms.0.temperature=4.
    """
    content = read_layers(path)
    for override in overrides:
        content = changed(content, parsed(override))
    return validated(RunConfig, expanded(content, path), str(path))


def config_hash(config: RunConfig) -> str:
    """16 hex digits of everything that determines a run; two runs with the same hash are the same run.

    Keys at their defaults are left out, so that a key that a later version adds does not make every run another one;
    so are the exams, which come after training and can be added to a finished run.
    """
    content = json.dumps(config.model_dump(mode="json", exclude_defaults=True, exclude={"exams"}), sort_keys=True)
    return short_hash(content)


def short_hash(text: str) -> str:
    """16 hex digits that change with the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def dump(config: RunConfig) -> str:
    """The run as YAML, every key written out."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
