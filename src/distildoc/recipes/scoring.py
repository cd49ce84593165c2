"""The stages after training: evaluate, export, verify."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

import distildoc
from distildoc.core.model import Model
from distildoc.data.readers.folder import read as read_folder
from distildoc.evaluate.cost import cost_of
from distildoc.evaluate.run import Evaluation, report_of
from distildoc.evaluate.run import evaluate as score
from distildoc.evaluate.table import PageTable
from distildoc.evaluate.torch_predictor import TorchPredictor
from distildoc.evaluate.write import write_evaluation
from distildoc.models.load import fingerprint, load_model
from distildoc.recipes.build import preprocess_of
from distildoc.recipes.folder import RunFolder, write_text
from distildoc.recipes.pages import test_pages
from distildoc.schema.errors import InputError
from distildoc.schema.predictions import Predictor

TRAIN_FIRST = "run `distildoc train` on its run file"


def evaluate(run: Path) -> str:
    """Score a run's student on its test pages, which are read here and nowhere else."""
    folder = RunFolder(run)
    config = folder.config()
    predictor = student_of_run(folder)
    pages = test_pages(config.data, predictor.labels)
    found = score(
        predictor,
        pages.pages,
        skip_bad=config.data.skip_bad,
        source={"run": config.name, "config_hash": folder.read()["config_hash"], "model": fingerprint(predictor.model)},
    )
    cost = cost_of(predictor.model, (config.input.height, config.input.width))
    found = replace(found, report=replace(found.report, cost=cost))
    path = write_evaluation(found, folder.evaluation)
    raw = report_of(_without_temperature(found.table, predictor.temperature), source={"temperature": "1"})
    write_text(folder.evaluation / "report_uncalibrated.json", json.dumps(raw.to_json(), indent=1) + "\n")
    folder.finish("evaluate", {"report": str(path.relative_to(run)), "pages": pages.fingerprint})
    return f"{run}: {summary(found)}"


def evaluate_on(target: Path, pages: Path, *, out: Path | None, skip_bad: bool) -> str:
    """Score a run's student or a bundle on a folder with one folder of pages a class."""
    if out is None:
        raise InputError("say where to write the evaluation with --out")
    predictor: Predictor
    if (target / "bundle.json").is_file():
        predictor = distildoc.load(target)
    else:
        predictor = student_of_run(RunFolder(target))
    labelled = read_folder(path=pages)
    found = score(predictor, labelled.pages, skip_bad=skip_bad, source={"scored": target.name})
    write_evaluation(found, out)
    return f"{out}: {summary(found)}"


def student_of_run(folder: RunFolder) -> TorchPredictor:
    """The trained student with its calibration temperature."""
    config = folder.config()
    trained = folder.require("train", TRAIN_FIRST)
    model: Model = load_model(folder.model)
    return TorchPredictor(model, preprocess_of(config), temperature=float(trained["temperature"]))


def summary(found: Evaluation) -> str:
    """Main scores with their intervals, in a line."""
    scores = found.report.scores
    shown = [f"{name} {scores[name].value:.4f} [{scores[name].low:.4f}, {scores[name].high:.4f}]" for name in SHOWN]
    failed = f", {found.report.failed} unreadable" if found.report.failed else ""
    return f"{', '.join(shown)} on {found.report.pages} pages{failed}"


SHOWN = ("accuracy", "aurc", "ece")


def _without_temperature(table: PageTable, temperature: float) -> PageTable:
    """Probabilities before calibration: proportional to p ** T."""
    logits = np.log(np.clip(table.probabilities.astype(np.float64), 1e-38, None)) * temperature
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return replace(table, probabilities=(weights / weights.sum(1, keepdims=True)).astype(np.float32))
