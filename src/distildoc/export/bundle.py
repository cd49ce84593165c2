"""Write a bundle: graph, description, model card, report, in a folder that appears whole."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from distildoc.core.model import Detector, Model, parameter_count
from distildoc.core.texts import Tokenise
from distildoc.export.detector_onnx import detector_to_onnx
from distildoc.export.docling import docling_files, why_not_docling
from distildoc.export.model_card import model_card
from distildoc.export.text_onnx import text_to_onnx, tokenizer_of
from distildoc.export.to_onnx import to_onnx
from distildoc.models.load import fingerprint
from distildoc.schema.bundle import DEFAULT_THRESHOLD, DESCRIPTION, Bundle, Graph, read_bundle, stored
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.report import Report
from distildoc.schema.selective import SelectiveCurve
from distildoc.schema.texts import TOKENIZER, TextInput
from distildoc.schema.writing import new_folder

GRAPH = "model.onnx"
CARD = "README.md"
REPORT = "report.json"
SOFTWARE = ("distildoc", "torch", "transformers", "onnx")


def write_bundle(
    folder: str | Path,
    model: Model,
    *,
    preprocess: Preprocess | TextInput,
    temperature: float = 1.0,
    thresholds: Mapping[str, float] | None = None,
    nms_iou: float | None = None,
    selective: SelectiveCurve | None = None,
    source: Mapping[str, str] | None = None,
    report: Report | None = None,
) -> Bundle:
    """Export a student with everything that running it elsewhere takes, and read it back once.

    temperature, selective  see Bundle; for classifiers.
    thresholds, nms_iou     see Bundle; for detectors.
    source  where it comes from, by name, e.g. run and config hash; the student's fingerprint is added.
    report  its evaluation, for the model card and `report.json`.

    Raises InputError where the student cannot be exported or the disk is full; `folder` then keeps what it had.
    """
    with new_folder(Path(folder)) as part:
        graph = _write_graph(model, part, preprocess, temperature)
        if report is not None:
            (part / REPORT).write_text(json.dumps(report.to_json(), indent=1), encoding="utf-8")
        bundle = Bundle(
            task=_task(model),
            labels=model.labels,
            preprocess=preprocess,
            temperature=temperature,
            graph=graph,
            files={path.name: stored(path) for path in sorted(part.iterdir())},
            source={**(source or {}), "fingerprint": fingerprint(model)},
            versions={name: version(name) for name in SOFTWARE},
            cost={**(report.cost if report else {}), "parameters": parameter_count(model)},
            scores={name: score.value for name, score in report.scores.items()} if report else {},
            thresholds=_thresholds(model, thresholds),
            nms_iou=nms_iou,
            selective=selective,
        )
        (part / DESCRIPTION).write_text(json.dumps(bundle.to_json(), indent=1), encoding="utf-8")
        (part / CARD).write_text(model_card(bundle, report, obstacle=_obstacle(model, preprocess)), encoding="utf-8")
        read_bundle(part)
    return bundle


def _task(model: Model) -> str:
    return "detection" if isinstance(model, Detector) else "classification"


def _thresholds(model: Model, wanted: Mapping[str, float] | None) -> dict[str, float]:
    """Of every class of a detector."""
    if not isinstance(model, Detector):
        return {}
    return {**dict.fromkeys(model.labels, DEFAULT_THRESHOLD), **(wanted or {})}


def _write_graph(model: Model, folder: Path, preprocess: Preprocess | TextInput, temperature: float) -> Graph:
    """The graph; with a text model's tokenizer, or with what makes the folder a docling layout model."""
    if isinstance(preprocess, TextInput):
        (folder / TOKENIZER).write_text(tokenizer_of(model), encoding="utf-8")
        return text_to_onnx(model, folder / GRAPH, temperature=temperature)
    if not isinstance(model, Detector):
        size = (preprocess.height, preprocess.width)
        return to_onnx(model, folder / GRAPH, size=size, temperature=temperature)
    if temperature != 1:
        raise ValueError(f"a detector's scores have no temperature, got {temperature}")
    if _obstacle(model, preprocess) is None:
        for name, content in docling_files(model.labels, preprocess).items():
            (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    return detector_to_onnx(model, folder / GRAPH, preprocess)


def _obstacle(model: Model, preprocess: Preprocess | TextInput) -> str | None:
    if isinstance(preprocess, TextInput) or isinstance(model.normalise, Tokenise):
        return None
    return why_not_docling(model.labels, preprocess, channels=len(model.normalise.mean))
