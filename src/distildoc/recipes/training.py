"""The stages that come before there is a student to score: check, cache, train."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from accelerate import Accelerator

from distildoc.core.model import parameter_count
from distildoc.core.teacher import Teacher
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet, some
from distildoc.models.load import fingerprint, save_model
from distildoc.recipes.build import Parts, cached_taps, loader_of, pair_of, parts_of, terms_of
from distildoc.recipes.config import RunConfig, TeacherConfig, TermConfig
from distildoc.recipes.files import config_hash, short_hash
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import Splits, shifted_pages, test_pages, training_pages, write_splits
from distildoc.recipes.screen import SILENT, Screen
from distildoc.recipes.sizes import augmentation_of, input_of
from distildoc.recipes.tasks import TASKS
from distildoc.recipes.teachers import (
    cache_folders,
    cached_groups,
    known_of,
    label_map_of,
    live_teacher,
    teacher_models,
    weights_of,
)
from distildoc.schema.errors import ConfigError, InputError
from distildoc.schema.texts import noun_of
from distildoc.teach.cached import write_cache
from distildoc.teach.check import check_cacheable
from distildoc.teach.survey import survey, surveying
from distildoc.train.checkpoint import Checkpoints
from distildoc.train.fit import FitResult, Plan, fit
from distildoc.train.journal import Journal
from distildoc.train.processes import make_accelerator
from distildoc.train.progress import training_progress
from distildoc.train.records import Records
from distildoc.train.schedules import learning_rate
from distildoc.train.selection import Selection
from distildoc.train.state import Optimisation, begin

AS_IT_IS = FitResult(best_score=None, best_epoch=None, steps=0, seconds=0.0)  # no epoch: the weights that were loaded
SCORED = "validation_"  # what the score is called in run.json, before its name
EVALUATION_BATCH = 64  # pages; gradients are off, so more fit than in training


def check(config: RunConfig, screen: Screen = SILENT) -> list[str]:
    """Build all parts of a run without taking a step; the lines say what it would do."""
    splits = training_pages(config.data, screen)
    folders = cache_folders(config.teacher) if config.teacher is not None else []
    unwritten = [str(folder) for folder in folders if not folder.is_dir()]
    noun = noun_of(input_of(config))
    built = _with_live_teacher(config) if unwritten else config
    parts = parts_of(built, splits)
    lines = plan_lines(built, splits, parts)
    if unwritten:
        check_cacheable(parts.distiller.terms, augmentation_of(config))
        lines.append(f"cache    {', '.join(unwritten)} is not written yet; `distildoc cache` and `run` write it")
    if config.data.test is not None:
        lines.append(f"test     {len(test_pages(config.data, splits.train.labels))} {noun}, not decoded here")
    for name, pages in shifted_pages(config, splits.train.labels).items():
        lines.append(f"shifted  {len(pages)} {noun} of {name}, not decoded here")
    return lines


def _with_live_teacher(config: RunConfig) -> RunConfig:
    assert config.teacher is not None
    return config.model_copy(update={"teacher": config.teacher.model_copy(update={"cache": None})})


def plan_lines(config: RunConfig, splits: Splits, parts: Parts) -> list[str]:
    """What will be trained, by what, on what."""
    terms = " + ".join(_term_line(term) for term in config.terms)
    lines = [
        f"{noun_of(input_of(config))}    {len(splits.train)} to train on, {len(splits.validation)} to select on, "
        f"{len(splits.failed)} unreadable; {len(splits.train.labels)} classes",
        f"student  {config.model.name}, {parameter_count(parts.distiller.student):,} parameters",
        f"loss     {terms}",
        f"steps    {config.train.epochs} epochs of {len(parts.loader)} batches",
    ]
    if cut := _cut_texts(config, splits):
        lines.append(
            f"cut      {cut} of the texts to train on, at {config.input.text_bytes} bytes (`input.text_bytes`)"
        )
    lines += [f"repaired {line}" for pages in (splits.train, splits.validation) for line in pages.repairs]
    if config.teacher is not None and parts.teacher is not None:
        source = f"cached in {config.teacher.cache}" if config.teacher.cache is not None else "live"
        runs = ", ".join(config.teacher.runs) + (" as experts" if config.teacher.experts else "")
        lines.insert(2, f"teacher  {runs}, {source} ({parts.teacher.fingerprint[:12]})")
    return lines


def _cut_texts(config: RunConfig, splits: Splits) -> int:
    """How many training texts are longer than what is read of them."""
    most = config.input.text_bytes
    if most is None:
        return 0
    return sum(page.text is not None and len(page.text.encode()) > most for page in splits.train.pages)


def one_process(verb: str) -> None:
    """Raises ConfigError where a launcher started several processes for a stage that is for one."""
    world = os.environ.get("WORLD_SIZE", "1")
    if world != "1":
        raise ConfigError(f"`{verb}` is for one process, {world} were started; only `train` uses several")


def cache(config: RunConfig, screen: Screen = SILENT) -> str:
    """Write what the teacher says of every page and view; goes on where it was stopped."""
    one_process("cache")
    if config.teacher is None or config.teacher.cache is None:
        raise ConfigError(f"run '{config.name}' names no `teacher.cache` to write")
    splits = training_pages(config.data, screen)
    labels = splits.train.labels
    models = teacher_models(config.teacher)
    terms = terms_of(config.terms, pair_of(config, models, labels))
    check_cacheable(terms, augmentation_of(config))
    known = known_of(config.teacher, models, labels)
    asked = labels if known is None else known.labels(labels)
    taps, loader = cached_taps(config, terms), loader_of(config, splits)
    lines = []
    for group, folder in cached_groups(config.teacher, models):
        assert folder is not None  # the run names a cache
        teacher = live_teacher(group, asked, taps, label_map=label_map_of(config.teacher, group[0].labels))
        lines.append(_write_cache(config.teacher, teacher, folder, loader=loader, screen=screen))
    return "\n".join(lines)


def _write_cache(config: TeacherConfig, teacher: Teacher, folder: Path, *, loader: Loader, screen: Screen) -> str:
    """What one teacher says of every page and view; in a line."""
    with screen.bar("teacher") as advance:
        store = write_cache(
            folder, teacher, loader=loader, dtype=config.cache_dtype, limit_kib=config.cache_limit_kib, progress=advance
        )
    return f"{store.folder}: {store.header.rows} rows of {', '.join(slot.name for slot in store.header.slots)}"


def train(config: RunConfig, out: Path, screen: Screen = SILENT) -> str:
    """Train or distil; goes on from the last checkpoint; writes the model, the page ids and the temperature.

    The folder is made once all parts of the run are built, so that a mistake in the run file leaves none behind.
    """
    accelerator = make_accelerator(
        config.train.precision,
        trackers=config.train.trackers,
        project=out,
        unused_parameters=config.teacher is not None,  # a method may leave the student's own head without a gradient
    )
    screen = screen if accelerator.is_main_process else SILENT
    folder = RunFolder(out)
    folder.refuse_other(config)
    if (done := folder.stage("train")) is not None:
        _refuse_other_teacher(config, done.get("teacher"), out)
        return f"{out}: already trained ({_validated(done)})"
    if config.train.threads is not None:
        torch.set_num_threads(config.train.threads)
    splits = training_pages(config.data, screen)
    parts = parts_of(config, splits, rank=accelerator.process_index, world=accelerator.num_processes)
    for line in plan_lines(config, splits, parts):
        screen.say(line)
    if accelerator.is_main_process:
        folder.claim(config)
    accelerator.wait_for_everyone()
    for model in parts.teachers:
        model.to(accelerator.device)
    identity = run_identity(config, splits, parts)
    result = AS_IT_IS
    if config.train.epochs:
        _survey(parts, accelerator, screen)
        result = _fit(config, folder, parts, validation=splits.validation, accelerator=accelerator, identity=identity)
    if not accelerator.is_main_process:
        return ""
    return _finish(config, folder, splits, parts=parts, result=result)


def _survey(parts: Parts, accelerator: Accelerator, screen: Screen) -> None:
    """What some methods want to know of all training pages first."""
    if not surveying(parts.distiller.terms):
        return
    parts.distiller.to(accelerator.device)
    count, views = len(parts.loader.pages), parts.loader.every_view
    with screen.bar("survey") as advance:
        survey(parts.distiller, parts.teacher, parts.loader.once, count=count, views=views, progress=advance)


def _refuse_other_teacher(config: RunConfig, stored: object, out: Path) -> None:
    """Raises InputError where the teacher's run was trained anew since; a teacher that is gone is no reason."""
    if config.teacher is None or stored is None or not all(Path(run).is_dir() for run in config.teacher.runs):
        return
    now = weights_of(teacher_models(config.teacher))
    if now != stored:
        raise InputError(
            f"{out}: was distilled from another teacher ({str(stored)[:12]}) than {', '.join(config.teacher.runs)} "
            f"holds now ({now[:12]}); choose another folder with -o, or delete it"
        )


def run_identity(config: RunConfig, splits: Splits, parts: Parts) -> str:
    """16 hex digits of settings, teacher and pages; a checkpoint of any other is refused."""
    teacher = "" if parts.teacher is None else parts.teacher.fingerprint
    content = "|".join((config_hash(config), teacher, splits.train.fingerprint, splits.validation.fingerprint))
    return short_hash(content)


def validation_loader(config: RunConfig, pages: PageSet) -> Loader:
    """Validation pages as they are, in order."""
    return Loader(
        pages,
        pages.labels,
        input_of(config),
        targets=TASKS[config.task].targets(config, pages, None),
        batch=EVALUATION_BATCH,
        seed=0,
        shuffle=False,
        cache_bytes=config.data.cache_mb << 19,
    )


def _fit(
    config: RunConfig, folder: RunFolder, parts: Parts, *, validation: PageSet, accelerator: Accelerator, identity: str
) -> FitResult:
    settings = config.train
    scored = validation if settings.validate_pages is None else some(validation, settings.validate_pages, seed=0)
    loader = validation_loader(config, scored)
    progress = training_progress(noun_of(input_of(config)))
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
            reset_optimiser=settings.reset_optimiser,
            selection=Selection(
                lambda student: TASKS[config.task].score(student, loader),
                every=settings.validate_every,
                keep=settings.keep,
            ),
        ),
        checkpoints=Checkpoints(folder.checkpoints, identity=identity, every_steps=settings.checkpoint_steps),
        journal=Journal(accelerator, records=Records(folder.path / "records.jsonl"), progress=progress),
    )


def _finish(config: RunConfig, folder: RunFolder, splits: Splits, *, parts: Parts, result: FitResult) -> str:
    student = parts.distiller.release().to("cpu")
    learnt = TASKS[config.task].learnt(config, student, validation_loader(config, splits.validation))
    save_model(student, folder.model)
    write_splits(splits, folder.path)
    folder.finish(
        "train",
        {
            "model": fingerprint(student),
            "parameters": parameter_count(student),
            **learnt,
            "best_epoch": result.best_epoch,
            "steps": result.steps,
            "seconds": round(result.seconds, 1),
            "pages": {"train": splits.train.fingerprint, "validation": splits.validation.fingerprint},
            "skipped": [failed.id for failed in splits.failed],
            "teacher": parts.taught_by,
        },
    )
    left_out = f", {len(splits.failed)} unreadable {noun_of(input_of(config))} left out" if splits.failed else ""
    return f"{folder.path}: trained in {result.seconds:.0f} s, {_validated(learnt)}{left_out}"


def _validated(learnt: Mapping[str, object]) -> str:
    """The score on validation pages, in words."""
    return ", ".join(f"{key.replace('_', ' ')} {value:.4f}" for key, value in learnt.items() if key.startswith(SCORED))


def _term_line(term: TermConfig) -> str:
    weight = f"{term.weight:g}" if isinstance(term.weight, float) else f"{term.weight.kind} {term.weight.start:g}"
    settings = ", ".join(f"{key} {value}" for key, value in term.settings.items())
    return f"{weight} x {term.method}" + (f" ({settings})" if settings else "")
