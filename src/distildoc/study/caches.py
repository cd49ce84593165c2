"""Caches of a study: runs whose teacher says the same of the same pixels share one folder."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from distildoc.recipes import stages
from distildoc.recipes.build import cached_taps, pair_of, terms_of
from distildoc.recipes.config import RunConfig, TermConfig
from distildoc.recipes.files import short_hash
from distildoc.recipes.pages import listed_pages
from distildoc.recipes.screen import Screen
from distildoc.recipes.sizes import augmentation_of
from distildoc.recipes.teachers import teacher_models
from distildoc.study.known import asks_live

PIXELS = {"data", "input", "augmentation", "task"}  # what the teacher sees


def cache_key(config: RunConfig, teachers: Iterable[str]) -> str | None:
    """16 hex digits of what the teacher, given by the keys of its runs, is asked; None where no cache can answer."""
    if config.teacher is None or config.input.scales or asks_live(config):
        return None
    augmentation = augmentation_of(config)
    if augmentation is not None and augmentation.views is None:
        return None
    seen = config.model_dump(mode="json", include=PIXELS)
    seen["data"].pop("test")
    asked = [*teachers] if config.teacher.experts else sorted(teachers)  # experts have an order, an average has none
    text = json.dumps([seen, config.teacher.cache_dtype, config.teacher.experts, asked], sort_keys=True)
    return short_hash(text)


def of_terms(key: str, terms: Iterable[Sequence[TermConfig]]) -> str:
    """The key of what a teacher is asked, together with the terms that read its answers."""
    said = sorted({json.dumps([term.model_dump(mode="json") for term in some], sort_keys=True) for some in terms})
    return short_hash("\n".join([key, *said]))


def with_cache(config: RunConfig, folder: Path | None, taps: Sequence[str] = ()) -> RunConfig:
    """The run with its teacher's answers in a folder, more features among them; None: the teacher is asked live."""
    if config.teacher is None:
        return config
    where = None if folder is None else str(folder)
    teacher = config.teacher.model_copy(update={"cache": where, "taps": tuple(taps)})
    return config.model_copy(update={"teacher": teacher})


def with_damaged(config: RunConfig, folder: Path) -> RunConfig:
    """The run with the damaged pages of its exams kept in a folder."""
    if config.exams is None or config.exams.corruptions is None or config.exams.corruptions.cache is not None:
        return config
    kept = config.exams.corruptions.model_copy(update={"cache": str(folder)})
    return config.model_copy(update={"exams": config.exams.model_copy(update={"corruptions": kept})})


def write_shared(runs: Sequence[RunConfig], folder: Path, screen: Screen) -> str:
    """Ask the teacher that some runs have in common once, for all features that any of them compares."""
    labels = listed_pages(runs[0].data)[0].labels
    models = teacher_models(runs[0].teacher)
    different = {config.model_dump_json(include={"terms", "model", "start", "seed"}): config for config in runs}
    taps = {
        tap
        for config in different.values()
        for tap in cached_taps(config, terms_of(config.terms, pair_of(config, models, labels)))
    }
    return stages.cache(with_cache(runs[0], folder, sorted(taps)), screen)
