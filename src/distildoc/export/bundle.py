"""Write a bundle: graph, description, model card, report, in a folder that appears whole."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from distildoc.core.model import Model, parameter_count
from distildoc.export.model_card import model_card
from distildoc.export.to_onnx import to_onnx
from distildoc.models.load import fingerprint
from distildoc.schema.bundle import DESCRIPTION, Bundle, read_bundle, stored
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.report import Report
from distildoc.schema.writing import new_folder

GRAPH = "model.onnx"
CARD = "README.md"
REPORT = "report.json"
SOFTWARE = ("distildoc", "torch", "transformers", "onnx")


def write_bundle(
    folder: str | Path,
    model: Model,
    *,
    preprocess: Preprocess,
    temperature: float = 1.0,
    source: Mapping[str, str] | None = None,
    report: Report | None = None,
) -> Bundle:
    """Export a student with everything that running it elsewhere takes, and read it back once.

    source  where it comes from, by name, e.g. run and config hash; the student's fingerprint is added.
    report  its evaluation, for the model card and `report.json`.

    Raises InputError where the student cannot be exported or the disk is full; `folder` then keeps what it had.
    """
    size = (preprocess.height, preprocess.width)
    with new_folder(Path(folder)) as part:
        graph = to_onnx(model, part / GRAPH, size=size, temperature=temperature)
        if report is not None:
            (part / REPORT).write_text(json.dumps(report.to_json(), indent=1), encoding="utf-8")
        bundle = Bundle(
            task="classification",
            labels=model.labels,
            preprocess=preprocess,
            temperature=temperature,
            graph=graph,
            files={path.name: stored(path) for path in sorted(part.iterdir())},
            source={**(source or {}), "fingerprint": fingerprint(model)},
            versions={name: version(name) for name in SOFTWARE},
            cost={**(report.cost if report else {}), "parameters": parameter_count(model)},
            scores={name: score.value for name, score in report.scores.items()} if report else {},
        )
        (part / DESCRIPTION).write_text(json.dumps(bundle.to_json(), indent=1), encoding="utf-8")
        (part / CARD).write_text(model_card(bundle, report), encoding="utf-8")
        read_bundle(part)
    return bundle
