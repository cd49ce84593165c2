"""Report: what an evaluation found, as JSON in and out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from distildoc.schema.errors import InputError
from distildoc.schema.json_files import read_json

FORMAT = 1  # raised when the meaning of a field changes
MAX_BYTES = 32 * 2**20  # a report of 1,000 classes takes about 4 MB
T = TypeVar("T")


@dataclass(frozen=True)
class Score:
    """A value with its interval.

    low, high  ends of the interval, in the unit of the value. A percentile interval need not hold the value: the
               bootstrap of ECE leans upward, because resampling adds noise to every bin.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.value, self.low, self.high))) or self.low > self.high:
            raise ValueError(f"a score is finite and its interval in order, got {self.value} [{self.low}, {self.high}]")


@dataclass(frozen=True)
class ReliabilityBin:
    """Pages whose confidence lies in (low, high]: how many, how sure on average, how often right, all 0..1.

    In a report about layouts they are detections, and one that takes a true box at IoU .50 is right.
    """

    low: float
    high: float
    pages: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class RiskPoint:
    """Share of the pages kept when the least sure are set aside, and the share of errors among them, 0..1."""

    coverage: float
    risk: float


@dataclass(frozen=True)
class Report:
    """What one predictor made of one set of labelled pages.

    pages          pages scored; `failed` more could not be read and count nowhere else.
    scores         by name, e.g. `accuracy`, each with a 95 % interval over pages.
    slices         by group of pages, e.g. `class: letter`, then by score name.
    confusion      [C][C] counts: rows are true classes, columns predicted ones, both in the order of `labels`; empty
                   where a page has no one class.
    reliability    the bins that hold pages, from the least to the most confident.
    risk_coverage  the curve from full coverage down, thinned; empty where a page has no one class.
    primary        name of the score that ranks runs.
    cost           parameters, macs, latency_ms ... where measured.
    source         what was scored: names, hashes, settings.
    """

    task: str
    labels: tuple[str, ...]
    pages: int
    failed: int
    scores: Mapping[str, Score]
    slices: Mapping[str, Mapping[str, Score]]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]
    risk_coverage: tuple[RiskPoint, ...]
    primary: str = "accuracy"
    cost: Mapping[str, float] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.primary not in self.scores:
            raise ValueError(f"the primary score '{self.primary}' is not among {sorted(self.scores)}")
        if self.pages < 1 or self.failed < 0:
            raise ValueError(f"a report has at least one page, got {self.pages} scored and {self.failed} failed")
        rows = [len(row) for row in self.confusion]
        if self.confusion and rows != [len(self.labels)] * len(self.labels):
            raise ValueError(f"the confusion matrix of {len(self.labels)} labels cannot have rows of {rows}")
        if self.confusion and (counted := sum(map(sum, self.confusion))) != self.pages:
            raise ValueError(f"the confusion matrix counts {counted} pages, the report {self.pages}")

    def to_json(self) -> dict[str, object]:
        """Plain values with the number of the format."""
        return {"format": FORMAT, **asdict(self)}


def report_from_json(value: object, where: str) -> Report:
    """The report in decoded JSON; raises InputError that names the place and the field."""
    fields = _object(value, where)
    if fields.get("format") != FORMAT:
        raise InputError(f"{where}: report format {fields.get('format')!r}, this version reads {FORMAT}")
    try:
        return Report(
            task=_text(fields["task"], "task"),
            labels=tuple(_list(fields["labels"], "labels", _text)),
            pages=_whole(fields["pages"], "pages"),
            failed=_whole(fields["failed"], "failed"),
            scores=_mapping(fields["scores"], "scores", _score),
            slices=_mapping(fields["slices"], "slices", lambda item, at: _mapping(item, at, _score)),
            confusion=tuple(_list(fields["confusion"], "confusion", lambda row, at: tuple(_list(row, at, _whole)))),
            reliability=tuple(_list(fields["reliability"], "reliability", _bin)),
            risk_coverage=tuple(_list(fields["risk_coverage"], "risk_coverage", _point)),
            primary=_text(fields["primary"], "primary"),
            cost=_mapping(fields["cost"], "cost", _number),
            source=_mapping(fields["source"], "source", _text),
        )
    except KeyError as error:
        raise InputError(f"{where}: the report has no field {error}; evaluate again") from None
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def read_report(path: Path) -> Report:
    """The report in a file; raises InputError where there is none, or none that can be used."""
    return report_from_json(read_json(path, max_bytes=MAX_BYTES), str(path))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _object(value: object, at: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InputError(f"{at}: an object is wanted, got {type(value).__name__}")
    return value


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"'{at}' must be text, got {_shown(value)}")
    return value


def _whole(value: object, at: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"'{at}' must be a count, got {_shown(value)}")
    return value


def _number(value: object, at: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -1e300 < value < 1e300:
        raise ValueError(f"'{at}' must be a finite number, got {_shown(value)}")
    return value


def _list(value: object, at: str, item: Callable[[object, str], T]) -> list[T]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"'{at}' must be a list, got {_shown(value)}")
    return [item(entry, at) for entry in value]


def _mapping(value: object, at: str, item: Callable[[object, str], T]) -> dict[str, T]:
    if not isinstance(value, dict):
        raise ValueError(f"'{at}' must be an object, got {_shown(value)}")
    return {name: item(entry, f"{at}.{name}") for name, entry in value.items()}


def _numbers(value: object, at: str, names: Sequence[str]) -> dict[str, float]:
    found = _mapping(value, at, _number)
    if set(found) != set(names):
        raise ValueError(f"'{at}' must have {', '.join(names)}, got {', '.join(found) or 'nothing'}")
    return found


def _score(value: object, at: str) -> Score:
    return Score(**_numbers(value, at, ("value", "low", "high")))


def _bin(value: object, at: str) -> ReliabilityBin:
    found = _numbers(value, at, ("low", "high", "pages", "confidence", "accuracy"))
    pages = _whole(found["pages"], f"{at}.pages")
    return ReliabilityBin(found["low"], found["high"], pages, found["confidence"], found["accuracy"])


def _point(value: object, at: str) -> RiskPoint:
    return RiskPoint(**_numbers(value, at, ("coverage", "risk")))
