"""The study file: a grid of runs, or a search, on top of one run file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt, model_validator

from distildoc.recipes.layers import changed, expanded, overlay, parsed, read_layers, read_yaml
from distildoc.recipes.settings import Strict, validated
from distildoc.schema.errors import ConfigError

Name = Annotated[str, BeforeValidator(str), Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
Changes = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]


class RangeConfig(Strict):
    low: float
    high: float
    log: bool = False  # even steps of the logarithm
    whole: bool = False  # whole numbers alone

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("needs low < high, and low above 0 with `log`")
        return self

    @property
    def first(self) -> float | int:
        return int(self.low) if self.whole else self.low


class ChoicesConfig(Strict):
    choices: tuple[Any, ...] = Field(min_length=1)

    @property
    def first(self) -> Any:
        return self.choices[0]


class SearchConfig(Strict):
    """Settings chosen on the validation pages, by Optuna's tree-structured Parzen estimator."""

    trials: PositiveInt = 20  # a place of the grid
    seed: NonNegativeInt = 0  # of the sampler
    seeds: tuple[NonNegativeInt, ...] = Field((0,), min_length=1)  # of the runs of a trial; their mean score counts
    space: dict[str, RangeConfig | ChoicesConfig] = Field(min_length=1)  # dotted keys of the run file


class BaselineConfig(Strict):
    """What every run is compared with: the same run with these changes."""

    name: Name = "supervised"
    set: dict[str, Any] = Field(default_factory=lambda: {"teacher": None, "terms": [{"method": "supervised"}]})


class StudyConfig(Strict):
    """Runs at every place of a grid, with every seed."""

    name: Name
    about: str = ""  # what it answers, in a line
    run: Changes = Field(default_factory=dict)  # run-file keys of all runs; in a file also those of its `base`
    before: dict[Name, Changes] = Field(default_factory=dict)  # runs that others start or learn from, as "@NAME"
    axes: dict[Name, dict[Name, Changes]] = Field(default_factory=dict)  # axis -> choice -> changes of the run file
    rows: Name | None = None  # axis down the tables; None: `method`, or the first
    columns: Name | None = None  # axis across the tables; None: `student`, where there is one
    baseline: BaselineConfig | None = BaselineConfig()  # None: nothing is compared
    leave_out: tuple[dict[Name, Name], ...] = ()  # places of the grid that make no sense
    seeds: tuple[NonNegativeInt, ...] = Field((0,), min_length=1)
    cache: bool = True  # runs share what their teacher says, where pages have a bounded number of views
    export: Literal["none", "first", "all"] = "first"  # bundles of no run, of those with the first seed, of all
    search: SearchConfig | None = None

    @property
    def down(self) -> str:
        """The axis of the rows."""
        return self.rows or ("method" if "method" in self.axes else next(iter(self.axes), "method"))

    @property
    def across(self) -> str | None:
        """The axis of the columns."""
        return self.columns or ("student" if "student" in self.axes and self.down != "student" else None)


def read_study(path: Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """The study a YAML file describes, with what it builds on put in, so that the result needs no other file.

    `base: RUN.yaml` in the file (relative to it) is a run file that all runs build on. Environment variables and
    overrides are as in run files. Raises ConfigError in one line.
    """
    content = read_yaml(path)
    base = content.pop("base", None)
    if base is not None:
        content["run"] = overlay(read_layers(path.parent / str(base)), content.get("run") or {})
    for override in overrides:
        content = changed(content, parsed(override))
    study = validated(StudyConfig, expanded(content, path), str(path))
    _check(study, str(path))
    return study


def dump_study(study: StudyConfig) -> dict[str, Any]:
    """What `read_study` reads back from YAML as the same study."""
    return study.model_dump(mode="json")


def _check(study: StudyConfig, where: str) -> None:
    if not study.axes:
        raise ConfigError(f"{where}: names no `axes`; a study of one method has an axis with one choice")
    for key, axis in (("rows", study.rows), ("columns", study.columns)):
        if axis is not None and axis not in study.axes:
            raise ConfigError(f"{where}: '{key}': no axis '{axis}'; the axes are {list(study.axes)}")
    if study.across == study.down:
        raise ConfigError(f"{where}: rows and columns are both the axis '{study.down}'; name two")
    for axis, choices in study.axes.items():
        if not choices:
            raise ConfigError(f"{where}: the axis '{axis}' has no choice; give it one, or leave it out")
    if study.baseline is not None and study.baseline.name in study.axes.get(study.down, {}):
        raise ConfigError(
            f"{where}: the baseline is called '{study.baseline.name}' as a choice of '{study.down}'; the baseline "
            "stands in the grid of itself, so drop the choice or rename one"
        )
    for place in study.leave_out:
        _check_place(place, study.axes, f"{where}: leave_out {dict(place)}")


def _check_place(place: Mapping[str, str], axes: Mapping[str, Mapping[str, Any]], where: str) -> None:
    for axis, choice in place.items():
        if choice not in axes.get(axis, {}):
            raise ConfigError(f"{where}: no '{choice}' on an axis '{axis}'; there are {list(axes.get(axis, axes))}")
