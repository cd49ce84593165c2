"""The grid of a study: its places, and what a run at each of them is."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from distildoc.recipes.config import RunConfig
from distildoc.recipes.files import short_hash
from distildoc.recipes.layers import changed
from distildoc.recipes.settings import validated
from distildoc.schema.errors import ConfigError, closest
from distildoc.study.config import ChoicesConfig, RangeConfig, StudyConfig
from distildoc.study.known import check_names, learns_from_teacher

Space = Mapping[str, RangeConfig | ChoicesConfig]
ASIDE: dict[str, Any] = {  # keys of a run file that do not determine what is trained
    "name": True,
    "exams": True,
    "export": {"tolerance"},
    "teacher": {"cache", "cache_limit_kib", "taps"},
}


@dataclass(frozen=True)
class Place:
    """Where a run stands in the grid, without its seed.

    at       axis -> choice; at the baseline's own place the axis of the rows has the baseline's name.
    content  the run file, as plain YAML.
    space    what a search chooses there; empty: nothing.
    """

    at: Mapping[str, str]
    content: Mapping[str, Any]
    space: Space
    baseline: "Place | None" = None

    @property
    def name(self) -> str:
        return "-".join(self.at.values())

    @property
    def searches_features(self) -> bool:
        """Whether a trial may compare other features than the run of its search, which a cache would lack."""
        deciding = (".method", ".draws", ".weights")  # of gradient_features, whose weights are features
        return any("tap" in name or name.endswith(deciding) for name in self.space)


@dataclass(frozen=True)
class Planned:
    """A run of the study: its settings, the key of what determines them, and the runs that must be there first."""

    name: str
    config: RunConfig
    key: str
    after: tuple[str, ...]

    def folder(self, study: Path) -> Path:
        """Where the run lies or will lie; one that was begun under another name stays where it is."""
        begun = sorted((study / "runs").glob(f"*-{self.key}"))
        return begun[0] if begun else study / "runs" / f"{self.name}-{self.key}"


class Grid:
    """The runs of a study in a folder; nothing is written to it.

    Raises ConfigError where the study names a run, method, model or setting that does not exist.
    """

    def __init__(self, study: StudyConfig, folder: Path) -> None:
        self.study = study
        self.folder = folder
        self.before: dict[str, Planned] = {}
        for name in study.before:
            self._prepare(name, ())
        self.places = tuple(_places(study))

    def planned(self, place: Place, seed: int, found: Mapping[str, Any] | None = None) -> Planned:
        """The run at a place with a seed, and with the settings that a search found."""
        content = changed(place.content, dict(found or {}))
        return self._planned(place.name or self.study.name, content, seed=seed)

    def _prepare(self, name: str, asked: tuple[str, ...]) -> Planned:
        """The run of that name in `before`, after those it refers to."""
        if name not in self.study.before:
            raise ConfigError(
                f"study '{self.study.name}': '@{name}' is no run of `before`; {closest(name, self.study.before)}"
            )
        if name in asked:
            raise ConfigError(f"study '{self.study.name}': the runs {' -> '.join((*asked, name))} wait for each other")
        if name not in self.before:
            content = changed(self.study.run, self.study.before[name])
            self.before[name] = self._planned(name, content, seed=None, asked=(*asked, name))
        return self.before[name]

    def _planned(
        self, name: str, content: Mapping[str, Any], *, seed: int | None, asked: tuple[str, ...] = ()
    ) -> Planned:
        where = f"study '{self.study.name}', run '{name}'"
        full = {**content, "name": name if seed is None else f"{name}-s{seed}"}
        if seed is not None:
            full["seed"] = seed
        config = validated(RunConfig, full, where)
        check_names(config, where)
        if config.teacher is not None and not learns_from_teacher(config):
            config = config.model_copy(update={"teacher": None})
        named = dict.fromkeys(name[1:] for name in _builds_on(config) if name.startswith("@"))
        runs = {other: self._prepare(other, asked) for other in named}
        key = _key(config, {other: run.key for other, run in runs.items()})
        placed = _with_folders(config, {other: str(run.folder(self.folder)) for other, run in runs.items()})
        return Planned(placed.name, placed, key, tuple(run.key for run in runs.values()))


def _places(study: StudyConfig) -> Iterator[Place]:
    """Every place of the grid, each followed by its baseline.

    Baselines of a column stand in one row; one that differs, because its row changes the student, has a row of its own.
    """
    bases: dict[tuple[str, ...], Place] = {}
    space = study.search.space if study.search is not None else {}
    for choices in product(*study.axes.values()):
        at = dict(zip(study.axes, choices, strict=True))
        if any(left.items() <= at.items() for left in study.leave_out):
            continue
        content: dict[str, Any] = dict(study.run)
        for axis, choice in at.items():
            content = _laid(content, study.axes[axis][choice], f"study '{study.name}': {axis} {choice}")
        base = _baseline(study, at, content, space)
        if base is not None and bases.setdefault(tuple(base.at.values()), base).content != base.content:
            base = replace(base, at={**base.at, study.down: f"{base.at[study.down]}-{at[study.down]}"})
        yield Place(at, content, space, base)
        if base is not None:
            yield base


def _baseline(study: StudyConfig, at: Mapping[str, str], content: Mapping[str, Any], space: Space) -> Place | None:
    """The run that the one at a place is compared with; it is searched over the settings that it has itself."""
    if study.baseline is None:
        return None
    changes = study.baseline.set
    own = {key: values for key, values in space.items() if key.partition(".")[0] not in changes}
    return Place({**at, study.down: study.baseline.name}, changed(content, changes), own)


def _laid(content: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    try:
        return changed(content, changes)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _builds_on(config: RunConfig) -> list[str]:
    """What a run starts from, or nothing, and who teaches it, as the run file says it."""
    return [config.start or "", *(config.teacher.runs if config.teacher is not None else ())]


def _with_folders(config: RunConfig, folders: Mapping[str, str]) -> RunConfig:
    """The run with folders in place of names."""

    def folder(value: str) -> str:
        return folders[value[1:]] if value.startswith("@") else value

    changes: dict[str, Any] = {}
    if config.start is not None:
        changes["start"] = folder(config.start)
    if config.teacher is not None:
        changes["teacher"] = config.teacher.model_copy(update={"runs": tuple(map(folder, config.teacher.runs))})
    return config.model_copy(update=changes)


def _key(config: RunConfig, keys: Mapping[str, str]) -> str:
    """16 hex digits of what determines the trained run, those it builds on included; not of names and folders."""
    content = config.model_dump(mode="json", exclude_defaults=True, exclude=ASIDE)
    if not content.get("export", True):
        del content["export"]
    built_on = [keys.get(name.removeprefix("@"), name) for name in _builds_on(config)]
    content.pop("start", None)
    content.get("teacher", {}).pop("runs", None)
    text = json.dumps([content, built_on], sort_keys=True)
    return short_hash(text)
