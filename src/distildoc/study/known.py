"""Names and settings of a run file, checked without building anything, so that a study fails before its first run."""

from functools import cache

from distildoc.data import data_module
from distildoc.methods import method_module
from distildoc.models import build as classifiers
from distildoc.models.detectors import build as detectors
from distildoc.models.text.build import text_settings_of
from distildoc.recipes.config import RunConfig, SourceConfig
from distildoc.recipes.listing import needs_of
from distildoc.recipes.settings import checked_settings
from distildoc.recipes.sizes import augmentation_of

SETTINGS_OF = {  # of models, by what a run reads and predicts
    "texts": text_settings_of,
    "classification": classifiers.settings_of,
    "detection": detectors.settings_of,
}


def check_names(config: RunConfig, where: str) -> None:
    """Raises ConfigError for a reader, method or model that does not exist, or settings that it does not take."""
    for key in ("train", "also", "validation", "test", "unlabelled"):
        source = getattr(config.data, key)
        if isinstance(source, SourceConfig):
            checked_settings(data_module(source.kind).read, source.settings, f"{where}: data.{key}")
    for number, term in enumerate(config.terms):
        checked_settings(method_module(term.method).build, term.settings, f"{where}: terms[{number}] ({term.method})")
    model = SETTINGS_OF[config.task if config.input.text_bytes is None else "texts"](config.model.name)
    checked_settings(model, config.model.settings, f"{where}: model ({config.model.name})")
    augmentation_of(config)


def learns_from_teacher(config: RunConfig) -> bool:
    """Whether any term compares the student with a teacher."""
    return any(_needs(term.method) for term in config.terms)


def asks_live(config: RunConfig) -> bool:
    """Whether a term runs the teacher again at every step, which a cache cannot answer."""
    return any("a live teacher" in _needs(term.method) for term in config.terms)


@cache
def _needs(method: str) -> tuple[str, ...]:
    """What a method asks of a teacher with its default settings, in words; nothing where it asks for none."""
    return tuple(needs_of(method_module(method)))
