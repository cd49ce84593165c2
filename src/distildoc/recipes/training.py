"""The stages that come before there is a student to score: check, cache, train."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import nn

from distildoc.core.model import Model, parameter_count
from distildoc.data.loader import Loader
from distildoc.evaluate.temperature import fit_temperature
from distildoc.evaluate.torch_predictor import evaluating
from distildoc.models.load import fingerprint, save_model
from distildoc.recipes.build import Parts, cached_taps, loader_of, pair_of, parts_of, preprocess_of, terms_of
from distildoc.recipes.config import RunConfig
from distildoc.recipes.files import config_hash
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import Splits, training_pages, write_splits
from distildoc.recipes.teachers import live_teacher, teacher_models
from distildoc.schema.errors import ConfigError
from distildoc.teach.cached import write_cache
from distildoc.train.checkpoint import Checkpoints
from distildoc.train.fit import FitResult, Plan, fit
from distildoc.train.journal import Journal
from distildoc.train.processes import make_accelerator
from distildoc.train.progress import training_progress
from distildoc.train.records import Records
from distildoc.train.schedules import learning_rate
from distildoc.train.selection import Selection
from distildoc.train.state import Optimisation, begin

Advance = Callable[[int, int], None]
EVALUATION_BATCH = 64  # pages; gradients are off, so more fit than in training


def check(config: RunConfig) -> list[str]:
    """Build all parts of a run without taking a step; the lines say what it would do."""
    splits = training_pages(config.data)
    parts = parts_of(config, splits)
    lines = [
        f"pages    {len(splits.train)} to train on, {len(splits.validation)} to select on, "
        f"{len(splits.failed)} unreadable; {len(splits.train.labels)} classes",
        f"student  {config.model.name}, {parameter_count(parts.distiller.student):,} parameters",
        f"terms    {', '.join(term.name for term in parts.distiller.terms)}",
        f"steps    {config.train.epochs} epochs of {len(parts.loader)} batches",
    ]
    if config.teacher is not None and parts.teacher is not None:
        lines.append(f"teacher  {', '.join(config.teacher.runs)} ({parts.teacher.fingerprint})")
    return lines


def cache(config: RunConfig, progress: Advance | None = None) -> str:
    """Write what the teacher says of every page and view; goes on where it was stopped."""
    if config.teacher is None or config.teacher.cache is None:
        raise ConfigError(f"run '{config.name}' names no `teacher.cache` to write")
    splits = training_pages(config.data)
    labels = splits.train.labels
    models = teacher_models(config.teacher)
    terms = terms_of(config.terms, pair_of(config, models, labels))
    teacher = live_teacher(models, labels, cached_taps(config, terms))
    loader = loader_of(config, splits)
    store = write_cache(
        config.teacher.cache, teacher, loader=loader, dtype=config.teacher.cache_dtype, progress=progress
    )
    return f"{store.folder}: {store.header.rows} rows of {', '.join(slot.name for slot in store.header.slots)}"


def train(config: RunConfig, out: Path) -> str:
    """Train or distil; goes on from the last checkpoint; writes the model, the page ids and the temperature."""
    accelerator = make_accelerator(config.train.precision, trackers=config.train.trackers, project=out)
    folder = RunFolder(out)
    if accelerator.is_main_process:
        folder.claim(config)
    accelerator.wait_for_everyone()
    if (done := folder.stage("train")) is not None:
        return f"{out}: already trained (validation accuracy {done['validation_accuracy']:.4f})"
    if config.train.threads is not None:
        torch.set_num_threads(config.train.threads)
    splits = training_pages(config.data)
    parts = parts_of(config, splits, rank=accelerator.process_index, world=accelerator.num_processes)
    validation = validation_loader(config, splits)
    result = _fit(config, folder, parts, validation=validation, accelerator=accelerator)
    if not accelerator.is_main_process:
        return ""
    return _finish(config, folder, splits, student=parts.distiller.student, validation=validation, result=result)


def validation_loader(config: RunConfig, splits: Splits) -> Loader:
    """The validation pages as they are, in order."""
    return Loader(
        splits.validation,
        splits.train.labels,
        preprocess_of(config),
        None,
        batch=EVALUATION_BATCH,
        seed=0,
        shuffle=False,
        cache_bytes=config.data.cache_mb << 19,
    )


def logits_on(model: nn.Module, loader: Loader) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits [N, C] and targets [N] of a loader's pages; the model's mode is left as it was."""
    device = next(model.parameters()).device
    with evaluating(model), torch.no_grad():
        found = [(model(b.pixels.to(device))["logits"].double().cpu(), b.targets["label"]) for b in loader.epoch(0)]
    logits, targets = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return logits, targets


def _fit(
    config: RunConfig, folder: RunFolder, parts: Parts, *, validation: Loader, accelerator: Accelerator
) -> FitResult:
    settings = config.train

    def score(student: Model) -> float:
        logits, targets = logits_on(student, validation)
        return float((logits.argmax(1) == targets).mean())

    state = begin(
        parts.distiller,
        accelerator,
        optimisation=Optimisation(
            name=settings.optimiser,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            schedule=learning_rate(settings.schedule, warmup=settings.warmup),
            ema=settings.ema,
        ),
        seed=config.seed,
        compile_backend="inductor" if settings.compile else None,
    )
    return fit(
        state,
        parts.loader,
        parts.teacher,
        plan=Plan(
            epochs=settings.epochs,
            accumulate=settings.accumulate,
            clip_norm=settings.clip_norm,
            selection=Selection(score, every=settings.validate_every, keep=settings.keep),
        ),
        checkpoints=Checkpoints(
            folder.checkpoints, identity=config_hash(config), every_steps=settings.checkpoint_steps
        ),
        journal=Journal(accelerator, records=Records(folder.path / "records.jsonl"), progress=training_progress()),
    )


def _finish(
    config: RunConfig, folder: RunFolder, splits: Splits, *, student: Model, validation: Loader, result: FitResult
) -> str:
    student = student.to("cpu")
    logits, targets = logits_on(student, validation)
    temperature = fit_temperature(logits, targets) if config.export.calibrate else 1.0
    save_model(student, folder.model)
    write_splits(splits, folder.path)
    accuracy = float((logits.argmax(1) == targets).mean())
    folder.finish(
        "train",
        {
            "model": fingerprint(student),
            "parameters": parameter_count(student),
            "temperature": temperature,
            "validation_accuracy": accuracy,
            "best_epoch": result.best_epoch,
            "steps": result.steps,
            "seconds": round(result.seconds, 1),
            "pages": {"train": splits.train.fingerprint, "validation": splits.validation.fingerprint},
            "skipped": [failed.id for failed in splits.failed],
        },
    )
    return f"{folder.path}: trained in {result.seconds:.0f} s, validation accuracy {accuracy:.4f}"
