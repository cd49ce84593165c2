"""What a run that classifies pages does in its own way (see `tasks.py`)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from distildoc.core.model import Model, evaluating
from distildoc.core.task import Task
from distildoc.data.augment import Augmentation
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet
from distildoc.data.readers.folder import read as read_folder
from distildoc.data.readers.table import is_table
from distildoc.data.readers.table import read as read_table
from distildoc.data.targets import ClassTargets, Targets
from distildoc.evaluate.corruption import class_scores
from distildoc.evaluate.cost import cost_of
from distildoc.evaluate.run import Evaluation, report_of
from distildoc.evaluate.run import evaluate as score_pages
from distildoc.evaluate.table import PageTable
from distildoc.evaluate.temperature import fit_temperature
from distildoc.evaluate.torch_predictor import TorchPredictor
from distildoc.evaluate.write import REPORT, write_evaluation
from distildoc.export.bundle import write_bundle
from distildoc.export.verify import verify as verify_bundle
from distildoc.models.build import build_model, settings_of
from distildoc.predict.onnx_runtime import load
from distildoc.recipes.abstaining import curve_of, exported_curve
from distildoc.recipes.begin import built
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exam import Exam, summary
from distildoc.recipes.folder import RunFolder, write_text
from distildoc.recipes.sizes import input_of, size_of
from distildoc.recipes.texts import initial_text
from distildoc.schema.bundle import Bundle
from distildoc.schema.pages import Page
from distildoc.schema.predictions import Classification, Predictor
from distildoc.schema.report import read_report
from distildoc.schema.texts import noun_of
from distildoc.tasks.classification import classification

SHOWN = ("accuracy", "aurc", "ece")
Learnt = Mapping[str, Any]


def initial(config: RunConfig, labels: tuple[str, ...]) -> Model:
    if config.input.text_bytes is not None:
        return initial_text(config, labels)
    return built(config, labels, build_model, settings_of=settings_of)


def task(config: RunConfig, labels: tuple[str, ...]) -> Task:
    return classification(labels, label_smoothing=config.train.label_smoothing)


def targets(config: RunConfig, pages: PageSet, augmentation: Augmentation | None) -> Targets:
    return ClassTargets(pages, pages.labels)


def score(student: Model, loader: Loader) -> float:
    """Accuracy."""
    logits, labels = logits_on(student, loader)
    return float((logits.argmax(1) == labels).mean())


def learnt(config: RunConfig, student: Model, loader: Loader) -> dict[str, object]:
    logits, labels = logits_on(student, loader)
    temperature = fit_temperature(logits, labels) if config.export.calibrate else 1.0
    return {
        "temperature": temperature,
        "validation_accuracy": float((logits.argmax(1) == labels).mean()),
        "selective": curve_of(logits, labels, temperature=temperature).to_json(),
    }


def labelled(path: Path, columns: Mapping[str, Any]) -> PageSet:
    """A folder with one folder of pages a class, or a table, with the settings of its reader."""
    return read_table(path=path, **columns) if is_table(path) else read_folder(path=path)


def evaluate(config: RunConfig, student: Model, learnt: Learnt, *, exam: Exam) -> str:
    predictor = _predictor(config, student, learnt)
    found = _scored(predictor, exam)
    found = replace(
        found, report=replace(found.report, cost=cost_of(student, size_of(config), text=config.input.text_bytes))
    )
    write_evaluation(found, exam.out)
    raw = report_of(_without_temperature(found.table, predictor.temperature), source={"temperature": "1"})
    write_text(exam.out / "report_uncalibrated.json", json.dumps(raw.to_json(), indent=1) + "\n")
    return summary(found.report, SHOWN, noun_of(predictor.preprocess))


def scores(config: RunConfig, student: Model, learnt: Learnt, *, pages: Iterable[Page]) -> dict[str, float]:
    return class_scores(_predictor(config, student, learnt), pages)


def evaluate_bundle(bundle: Path, exam: Exam) -> str:
    predictor = load(bundle)
    found = _scored(predictor, exam)
    write_evaluation(found, exam.out)
    return summary(found.report, SHOWN, noun_of(predictor.bundle.preprocess))


def export(student: Model, learnt: Learnt, *, config: RunConfig, folder: RunFolder) -> Bundle:
    stored = folder.evaluation / REPORT
    return write_bundle(
        folder.bundle,
        student,
        preprocess=input_of(config),
        temperature=float(learnt["temperature"]),
        selective=exported_curve(config, student, learnt),
        source=folder.source(),
        report=read_report(stored) if stored.is_file() else None,
    )


def verify(
    config: RunConfig, student: Model, *, folder: RunFolder, pages: Iterable[Page]
) -> tuple[dict[str, object], str]:
    found = verify_bundle(folder.bundle, student, pages, tolerance=config.export.tolerance)
    return asdict(found), (
        f"verified on {found.pages} {noun_of(input_of(config))}, largest difference of a probability "
        f"{found.probability_difference:.1e}, agreement {found.agreement:.4f}"
    )


def logits_on(model: nn.Module, loader: Loader) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits [N, C] and targets [N] of a loader's pages; the model's mode is left as it was."""
    device = next(model.parameters()).device
    with evaluating(model), torch.no_grad():
        found = [(model(b.inputs.to(device))["logits"].double().cpu(), b.targets["label"]) for b in loader.epoch(0)]
    logits, labels = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return logits, labels


def _predictor(config: RunConfig, student: Model, learnt: Learnt) -> TorchPredictor:
    return TorchPredictor(student, input_of(config), temperature=float(learnt["temperature"]))


def _scored(predictor: Predictor[Classification], exam: Exam) -> Evaluation:
    return score_pages(predictor, exam.pages, skip_bad=exam.skip_bad, source=exam.source)


def _without_temperature(table: PageTable, temperature: float) -> PageTable:
    """Probabilities before calibration: proportional to p ** T."""
    logits = np.log(np.clip(table.probabilities.astype(np.float64), 1e-38, None)) * temperature
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return replace(table, probabilities=(weights / weights.sum(1, keepdims=True)).astype(np.float32))
