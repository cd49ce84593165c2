"""The stages after training: evaluate, export, verify."""

import json
from dataclasses import asdict, replace
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
from distildoc.evaluate.write import REPORT, write_evaluation
from distildoc.export.bundle import write_bundle
from distildoc.export.verify import verify as verify_bundle
from distildoc.models.load import fingerprint, load_model
from distildoc.recipes.build import preprocess_of
from distildoc.recipes.folder import RunFolder, write_text
from distildoc.recipes.pages import listed_pages, test_pages
from distildoc.recipes.screen import SILENT, Screen, counted
from distildoc.schema.bundle import DESCRIPTION
from distildoc.schema.errors import InputError
from distildoc.schema.predictions import Classification, Predictor
from distildoc.schema.report import read_report

TRAIN_FIRST = "run `distildoc train` on its run file"
SHOWN = ("accuracy", "aurc", "ece")


def evaluate(run: Path, *, skip_bad: bool = False, screen: Screen = SILENT) -> str:
    """Score a run's student on its test pages, whose pixels are read here and nowhere else."""
    if (run / DESCRIPTION).is_file():
        raise InputError(f"{run}: a bundle has no test pages of its own; name some with --pages, and --out")
    folder = RunFolder(run)
    config = folder.config()
    predictor = student_of_run(folder)
    pages = test_pages(config.data, predictor.labels)
    source = {"run": config.name, "config_hash": str(folder.read()["config_hash"])}
    with screen.bar("evaluate") as advance:
        found = score(
            predictor,
            counted(pages.pages, advance),
            skip_bad=skip_bad or config.data.skip_bad,
            source={**source, "model": fingerprint(predictor.model)},
        )
    cost = cost_of(predictor.model, (config.input.height, config.input.width))
    found = replace(found, report=replace(found.report, cost=cost))
    path = write_evaluation(found, folder.evaluation)
    raw = report_of(_without_temperature(found.table, predictor.temperature), source={"temperature": "1"})
    write_text(folder.evaluation / "report_uncalibrated.json", json.dumps(raw.to_json(), indent=1) + "\n")
    folder.finish("evaluate", {"report": str(path.relative_to(run)), "pages": pages.fingerprint})
    return f"{run}: {summary(found)}"


def evaluate_on(target: Path, pages: Path, *, out: Path | None, skip_bad: bool, screen: Screen = SILENT) -> str:
    """Score a run's student or a bundle on a folder with one folder of pages a class."""
    if out is None:
        raise InputError("say where to write the evaluation with --out")
    predictor: Predictor[Classification]
    predictor = distildoc.load(target) if (target / DESCRIPTION).is_file() else student_of_run(RunFolder(target))
    labelled = read_folder(path=pages)
    with screen.bar("evaluate") as advance:
        watched = counted(labelled.pages, advance)
        found = score(predictor, watched, skip_bad=skip_bad, source={"scored": target.name})
    write_evaluation(found, out)
    return f"{out}: {summary(found)}"


def export(run: Path) -> str:
    """Write a run's student as a bundle that runs without torch."""
    folder = RunFolder(run)
    student = student_of_run(folder)
    stored = folder.evaluation / REPORT
    report = read_report(stored) if stored.is_file() else None
    record = folder.read()
    bundle = write_bundle(
        folder.bundle,
        student.model,
        preprocess=student.preprocess,
        temperature=student.temperature,
        source={"run": str(record["name"]), "config_hash": str(record["config_hash"])},
        report=report,
    )
    size = sum(path.stat().st_size for path in folder.bundle.iterdir())
    folder.finish("export", {"bundle": bundle.id, "bytes": size})
    return f"{folder.bundle}: bundle {bundle.id}, {size / 2**20:.2f} MiB"


def verify(run: Path, screen: Screen = SILENT) -> str:
    """Compare the bundle with the student on the run's validation pages; raises InputError on drift."""
    folder = RunFolder(run)
    config = folder.config()
    folder.require("export", f"run `distildoc export {run}` first")
    _, validation = listed_pages(config.data)
    model = load_model(folder.model)
    with screen.bar("verify") as advance:
        watched = counted(validation.pages, advance)
        found = verify_bundle(folder.bundle, model, watched, tolerance=config.export.tolerance)
    folder.finish("verify", asdict(found))
    return (
        f"{folder.bundle}: verified on {found.pages} pages, largest difference of a probability "
        f"{found.probability_difference:.1e}, agreement {found.agreement:.4f}"
    )


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


def _without_temperature(table: PageTable, temperature: float) -> PageTable:
    """Probabilities before calibration: proportional to p ** T."""
    logits = np.log(np.clip(table.probabilities.astype(np.float64), 1e-38, None)) * temperature
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return replace(table, probabilities=(weights / weights.sum(1, keepdims=True)).astype(np.float32))
