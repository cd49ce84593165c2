"""Names become objects: the only place where a run file meets the library."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from distildoc.core.clock import Schedule, constant, decay, linear, sigmoid
from distildoc.core.method import Term
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.task import Task
from distildoc.core.teacher import Teacher
from distildoc.core.texts import Tokenise
from distildoc.data.loader import Loader
from distildoc.methods import method_module, method_names, tasks_of
from distildoc.recipes.config import RampConfig, RunConfig, TermConfig
from distildoc.recipes.pages import Splits
from distildoc.recipes.settings import checked_settings
from distildoc.recipes.sizes import augmentation_of, input_of, size_of
from distildoc.recipes.tasks import TASKS
from distildoc.recipes.teachers import known_of, teacher_models, teacher_of, teacher_thresholds, weights_of
from distildoc.schema.errors import ConfigError
from distildoc.schema.texts import noun_of
from distildoc.teach.check import check_terms, teacher_taps
from distildoc.teach.distiller import Distiller, adapted
from distildoc.teach.ensemble import Experts


@dataclass(frozen=True)
class Parts:
    """What a run trains, on what, and who teaches.

    teachers  the models behind the teacher, to be moved to the training device; none where it is only looked up.
    taught_by  fingerprint of those models; None without a teacher.
    """

    task: Task
    distiller: Distiller
    teacher: Teacher | Experts | None
    loader: Loader
    teachers: tuple[Model, ...] = ()
    taught_by: str | None = None


def loader_of(config: RunConfig, splits: Splits, *, rank: int = 0, world: int = 1) -> Loader:
    """Training batches in the order that the run's seed gives."""
    augmentation = augmentation_of(config)
    return Loader(
        splits.train,
        splits.train.labels,
        input_of(config),
        augmentation,
        targets=TASKS[config.task].targets(config, splits.train, augmentation),
        scales=config.input.scales,
        batch=config.train.batch,
        seed=config.seed,
        rank=rank,
        world=world,
        workers=config.data.workers,
        cache_bytes=config.data.cache_mb << 20,
    )


def parts_of(config: RunConfig, splits: Splits, *, rank: int = 0, world: int = 1) -> Parts:
    """Everything training needs, checked; raises ConfigError before any step."""
    labels = splits.train.labels
    models = teacher_models(config.teacher)
    pair = pair_of(config, models, labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # draws what the methods learn beside the student
        terms = terms_of(config.terms, pair)
        known = known_of(config.teacher, models, labels)
        distiller = Distiller(adapted(pair.student, terms), terms, known=known)
    loader = loader_of(config, splits, rank=rank, world=world)
    asked = labels if known is None else known.labels(labels)
    teacher = _teacher(config, models, terms, labels=asked, loader=loader)
    first = next(loader.epoch(0))
    sample = first.select(torch.arange(min(2, len(first))))
    check_terms(distiller, teacher, augmentation=loader.augmentation, accumulate=config.train.accumulate, sample=sample)
    return Parts(
        pair.task,
        distiller,
        teacher,
        loader,
        teachers=tuple(models) if teacher is not None and teacher.live else (),
        taught_by=None if teacher is None else weights_of(models),
    )


def pair_of(config: RunConfig, models: Sequence[Model], labels: tuple[str, ...]) -> Pair:
    """The student with its initial weights, and the teacher's model where there is exactly one."""
    kind = TASKS[config.task]
    _check_inputs(config, models)
    return Pair(
        kind.initial(config, labels),
        models[0] if len(models) == 1 else None,
        kind.task(config, labels),
        size_of(config),
        teacher_thresholds(config.teacher),
        len(models) if config.teacher is not None and config.teacher.experts else 1,
    )


def _check_inputs(config: RunConfig, models: Sequence[Model]) -> None:
    wanted = noun_of(input_of(config))
    for model in models:
        found = "texts" if isinstance(model.normalise, Tokenise) else "pages"
        if found != wanted:
            raise ConfigError(f"teacher: its model reads {found}, and this run {wanted}; name a teacher of {wanted}")


def terms_of(configs: Sequence[TermConfig], pair: Pair) -> list[Term]:
    """The methods named, built for this pair, each under a name of its own."""
    terms: list[Term] = []
    for number, config in enumerate(configs):
        where = f"terms[{number}] ({config.method})"
        module = method_module(config.method)
        if pair.task.name not in tasks_of(module):
            known = [name for name in method_names() if pair.task.name in tasks_of(method_module(name))]
            raise ConfigError(f"{where}: is for {' and '.join(tasks_of(module))}; for {pair.task.name}: {known}")
        build = module.build
        settings = checked_settings(build, config.settings, where)
        try:
            method = build(pair, **settings)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        name = config.name or config.method
        if name in {term.name for term in terms}:
            raise ConfigError(f"{where}: two terms are called '{name}'; give one a `name`")
        terms.append(Term(name, method, schedule_of(config.weight)))
    return terms


def schedule_of(weight: float | RampConfig) -> Schedule:
    """A weight over time."""
    if isinstance(weight, float):
        return constant(weight)
    if weight.kind == "linear":
        return linear(weight.start, weight.end, until=weight.until)
    if weight.kind == "sigmoid":
        return sigmoid(weight.start, weight.end, until=weight.until)
    if weight.kind == "decay":
        return decay(weight.start, per_epoch=weight.per_epoch)
    return constant(weight.start)


def cached_taps(config: RunConfig, terms: Sequence[Term]) -> tuple[str, ...]:
    """Features to cache: those the terms compare, and those the run asks for on behalf of others."""
    more = config.teacher.taps if config.teacher else ()
    return tuple(sorted({*teacher_taps(terms), *more}))


def _teacher(
    config: RunConfig, models: Sequence[Model], terms: Sequence[Term], *, labels: tuple[str, ...], loader: Loader
) -> Teacher | Experts | None:
    needs = [term.method.needs for term in terms if term.method.needs.teacher]
    if config.teacher is None or not needs:
        return None
    if config.teacher.cache is not None and config.input.scales:
        raise ConfigError(
            f"input.scales {list(config.input.scales)}: a cache holds what the teacher says at one size; drop the "
            "scales, or the teacher's `cache`"
        )
    outputs = any(need.teacher_outputs for need in needs)
    return teacher_of(config.teacher, models, labels=labels, loader=loader, taps=teacher_taps(terms), outputs=outputs)
