"""Bundle: an exported student in a folder, and what its bundle.json says.

bundle.json   format, task, labels, preprocessing, temperature, thresholds, graph, hashes, where it comes from
model.onnx    classification: pixels [batch, 3, height, width] in 0..1 to logits [batch, classes], already calibrated;
              detection: pixels and page sizes to labels, boxes in pixels of the page, and scores
              texts: input_ids and attention_mask int64 [batch, tokens] to logits as above
tokenizer.json  texts: how they become tokens, for the library tokenizers
README.md     model card; not hashed, people may add to it
report.json   the evaluation, where there was one

A layout bundle is a docling layout model too: config.json and preprocessor_config.json are what docling reads.

Format 2 added thresholds and nms_iou, for detection. A classification bundle is still written in format 1, which can
say all of it, so that its id stays and earlier versions read it. Format 3 is one with the curve it can abstain by.
Format 4 is a classifier of texts: `preprocess` says how many bytes of a text are read, and a curve may be there.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from distildoc.schema.errors import InputError, closest
from distildoc.schema.json_files import read_json
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.selective import SelectiveCurve, curve_from_json
from distildoc.schema.texts import MAX_TEXT_BYTES, TOKENIZER, TextInput

FORMATS = {"classification": 1, "detection": 2}  # by task; raised when the meaning of a field changes
ABSTAINS = 3  # format of a classification bundle with a curve
TEXTS = 4  # format of a bundle that reads texts
READS = (*FORMATS.values(), ABSTAINS, TEXTS)
DESCRIPTION = "bundle.json"
MAX_FILE_BYTES = 2 << 30  # what one ONNX file can hold
MAX_SIDE_PX = 8192
MAX_LABELS = 100_000
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # a file beside bundle.json, never a path
DEFAULT_THRESHOLD = 0.5  # of a class that a layout bundle has no threshold for
WAY_OUT = "export or fetch the bundle again"
V = TypeVar("V")


@dataclass(frozen=True)
class Graph:
    """The network: a file of the bundle, the names of its inputs and outputs, and its ONNX operator set."""

    file: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opset: int


@dataclass(frozen=True)
class Stored:
    """What a file of the bundle must be: SHA-256 in hex, and its size."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Bundle:
    """What bundle.json says.

    temperature  what the student's logits were divided by; the graph's output is divided already.
    source       run, fingerprint of the student and the like, by name.
    versions     of the software that exported it.
    cost         parameters and what else was measured, by name.
    scores       primary figures of the report, by name.
    thresholds   detection: least score of a region that is shown, by class; another class has DEFAULT_THRESHOLD.
    nms_iou      detection: of two regions that overlap by more than this IoU the less certain one is dropped; None
                 where the network says each region once.
    selective    classification: errors on validation pages by threshold of confidence; None where there is no curve.
    """

    task: str
    labels: tuple[str, ...]
    preprocess: Preprocess | TextInput
    temperature: float
    graph: Graph
    files: Mapping[str, Stored]
    source: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    nms_iou: float | None = None
    selective: SelectiveCurve | None = None

    def __post_init__(self) -> None:
        if self.task not in FORMATS:
            raise ValueError(f"'task' must be one of {', '.join(FORMATS)}, got {_shown(self.task)}")
        if self.selective is not None and self.task != "classification":
            raise ValueError(f"'selective' is for classification, the task is {self.task}")
        for name in self.thresholds:
            if name not in self.labels:
                raise ValueError(f"'thresholds' names no class with '{name}'; {closest(name, self.labels)}")

    @property
    def reads_texts(self) -> bool:
        """Whether its inputs are texts, not pages."""
        return isinstance(self.preprocess, TextInput)

    @property
    def pixels(self) -> Preprocess:
        """How pages become pixels; raises InputError for a bundle that reads texts."""
        if isinstance(self.preprocess, TextInput):
            raise InputError("this bundle reads texts, not pages; give a .txt, .tsv or .csv file")
        return self.preprocess

    @property
    def id(self) -> str:
        """16 hex digits of everything above: the same id, the same predictions."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, object]:
        """Plain values with the number of the format."""
        fields = asdict(self)
        if self.task == "classification":
            del fields["thresholds"], fields["nms_iou"]
        known = TEXTS if self.reads_texts else None
        if self.selective is None:
            del fields["selective"]
            return {"format": known or FORMATS[self.task], **fields}
        return {"format": known or ABSTAINS, **fields, "selective": self.selective.to_json()}


def read_bundle(folder: str | Path) -> Bundle:
    """The bundle in a folder, once every file it lists has the size and the hash it should have.

    Raises InputError in one line for anything missing, truncated, changed, or not ours.
    """
    path = Path(folder) / DESCRIPTION
    if not path.is_file():
        raise InputError(f"{folder}: no bundle there (no {DESCRIPTION}); give the folder that `distildoc export` wrote")
    bundle = bundle_from_json(read_json(path), str(path))
    for name, stored in bundle.files.items():
        _check_file(Path(folder) / name, stored)
    return bundle


def bundle_from_json(content: Mapping[str, object], where: str) -> Bundle:
    """The bundle in decoded JSON; raises InputError naming the place, the field and the value."""
    if content.get("format") not in READS:
        known = ", ".join(map(str, READS))
        raise InputError(f"{where}: bundle format {content.get('format')!r}, this version reads {known}; {WAY_OUT}")
    layouts, texts = content["format"] == FORMATS["detection"], content["format"] == TEXTS
    abstains = content["format"] == ABSTAINS or (texts and "selective" in content)
    try:
        bundle = Bundle(
            task=_text(content["task"], "task"),
            labels=_labels(content["labels"]),
            preprocess=_preprocess(_mapping(content["preprocess"], "preprocess"), texts),
            temperature=_positive(content["temperature"], "temperature"),
            graph=_graph(_mapping(content["graph"], "graph")),
            files=_each(content["files"], "files", _stored),
            source=_each(content["source"], "source", _text),
            versions=_each(content["versions"], "versions", _text),
            cost=_each(content["cost"], "cost", _number),
            scores=_each(content["scores"], "scores", _number),
            thresholds=_each(content["thresholds"], "thresholds", _share) if layouts else {},
            nms_iou=_share_or_none(content["nms_iou"], "nms_iou") if layouts else None,
            selective=curve_from_json(content["selective"], "selective") if abstains else None,
        )
    except KeyError as error:
        raise InputError(f"{where}: the bundle has no field {error}; {WAY_OUT}") from None
    except ValueError as error:
        raise InputError(f"{where}: {error}; {WAY_OUT}") from None
    needed = {"graph": bundle.graph.file, **({"tokenizer": TOKENIZER} if texts else {})}
    for what, name in needed.items():
        if name not in bundle.files:
            raise InputError(f"{where}: the {what} '{name}' is not among its files; {WAY_OUT}")
    return bundle


def stored(path: Path) -> Stored:
    """Hash and size of a file as it lies there."""
    with path.open("rb") as file:
        return Stored(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def _check_file(path: Path, wanted: Stored) -> None:
    if not path.is_file() or path.is_symlink():
        raise InputError(f"{path}: missing from the bundle, or no plain file; {WAY_OUT}")
    size = path.stat().st_size
    if size != wanted.bytes:
        state = "truncated" if size < wanted.bytes else "changed"
        raise InputError(f"{path}: {state}: {size} bytes, {DESCRIPTION} says {wanted.bytes}; {WAY_OUT}")
    if stored(path).sha256 != wanted.sha256:
        raise InputError(f"{path}: changed since the export: its SHA-256 is not the one in {DESCRIPTION}; {WAY_OUT}")


def _labels(value: object) -> tuple[str, ...]:
    labels = _names(value, "labels")
    if len(labels) > MAX_LABELS or len(set(labels)) != len(labels):
        raise ValueError(f"'labels' must be at most {MAX_LABELS} names, none twice")
    return labels


def _preprocess(value: Mapping[str, object], texts: bool) -> Preprocess | TextInput:
    _known(value, ("text_bytes",) if texts else ("height", "width", "fit", "grey"), "preprocess")
    if texts:
        return TextInput(_whole(value["text_bytes"], "preprocess.text_bytes", MAX_TEXT_BYTES))
    height, width = (_whole(value[side], f"preprocess.{side}", MAX_SIDE_PX) for side in ("height", "width"))
    grey = value["grey"]
    if not isinstance(grey, bool):
        raise ValueError(f"'preprocess.grey' must be true or false, got {grey!r}")
    return Preprocess(height, width, _fit(value["fit"]), grey)


def _fit(value: object) -> Literal["stretch", "pad"]:
    if value == "stretch":
        return "stretch"
    if value == "pad":
        return "pad"
    raise ValueError(f"'preprocess.fit' must be stretch or pad, got {_shown(value)}")


def _graph(value: Mapping[str, object]) -> Graph:
    _known(value, ("file", "inputs", "outputs", "opset"), "graph")
    inputs, outputs = _names(value["inputs"], "graph.inputs"), _names(value["outputs"], "graph.outputs")
    return Graph(_text(value["file"], "graph.file"), inputs, outputs, _whole(value["opset"], "graph.opset", 1000))


def _stored(value: object, at: str) -> Stored:
    name = at.partition(".")[2]
    if not FILE_NAME.fullmatch(name):
        raise ValueError(f"'files' may only name files beside {DESCRIPTION}, got {_shown(name)}")
    fields = _mapping(value, at)
    digest = _text(fields["sha256"], f"{at}.sha256")
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(f"'{at}.sha256' must be 64 hex digits, got {_shown(digest)}")
    return Stored(digest, _whole(fields["bytes"], f"{at}.bytes", MAX_FILE_BYTES))


def _known(value: Mapping[str, object], names: tuple[str, ...], at: str) -> None:
    for name in value:
        if name not in names:
            raise ValueError(f"'{at}' has an unknown field '{name}'; {closest(name, names)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(value: object, at: str) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError(f"'{at}' must be text, got {_shown(value)}")
    return value


def _names(value: object, at: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"'{at}' must be a list of names, got {_shown(value)}")
    return tuple(_text(name, at) for name in value)


def _whole(value: object, at: str, largest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
        raise ValueError(f"'{at}' must be a whole number from 1 to {largest}, got {_shown(value)}")
    return value


def _number(value: object, at: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -1e300 < value < 1e300:
        raise ValueError(f"'{at}' must be a finite number, got {_shown(value)}")
    return value


def _positive(value: object, at: str) -> float:
    number = _number(value, at)
    if number <= 0:
        raise ValueError(f"'{at}' must be above 0, got {number}")
    return float(number)


def _share(value: object, at: str) -> float:
    number = _number(value, at)
    if not 0 <= number <= 1:
        raise ValueError(f"'{at}' must be from 0 to 1, got {number}")
    return float(number)


def _share_or_none(value: object, at: str) -> float | None:
    return None if value is None else _share(value, at)


def _mapping(value: object, at: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"'{at}' must be an object, got {_shown(value)}")
    return value


def _each(value: object, at: str, item: Callable[[object, str], V]) -> dict[str, V]:
    return {name: item(entry, f"{at}.{name}") for name, entry in _mapping(value, at).items()}
