"""What a run that reads texts does in its own way: its student, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path

from distildoc.core.model import Model
from distildoc.core.texts import Tokenise
from distildoc.data.pageset import check_pages
from distildoc.models.load import load_model, load_start
from distildoc.models.text.build import build_text_model, text_settings_of
from distildoc.recipes.config import RunConfig
from distildoc.recipes.pages import listed_pages
from distildoc.recipes.settings import checked_settings
from distildoc.schema.errors import ConfigError, InputError


def initial_text(config: RunConfig, labels: tuple[str, ...]) -> Model:
    """The student with its initial weights.

    Its pieces of words are learnt from all training texts of the source that are not held out or dropped, so that runs
    on a part of them have the same ones. A run that starts from another keeps that one's, and cuts at its own `tokens`.
    """
    name, seed = config.model.name, config.model.seed
    if config.start is not None and "vocabulary" in config.model.settings:
        raise ConfigError("model: `vocabulary` is that of the run in `start`, whose pieces of words are kept; drop it")
    student = build_text_model(
        name,
        labels=labels,
        texts=lambda: _texts(config),
        tokenizer=None if config.start is None else _tokenizer_in(Path(config.start)),
        pretrained=config.model.pretrained,
        seed=config.seed if seed is None else seed,
        **checked_settings(text_settings_of(name), config.model.settings, f"model ({name})"),
    )
    if config.start is not None:
        load_start(student, config.start, take=config.start_with)
    return student


def _texts(config: RunConfig) -> Iterator[str]:
    """Every training text of the source, whatever part of them the run learns from."""
    whole = {"per_class": None, "classes": (), "imbalance": None, "label_noise": None, "also": None, "unlabelled": None}
    listed, _ = listed_pages(config.data.model_copy(update=whole))
    for page in check_pages(listed, skip_bad=config.data.skip_bad)[0].pages:
        if page.text is None:
            raise InputError(f"page '{page.id}' has no text; drop `input.text_bytes`, or read texts (kind: table)")
        yield page.text


def _tokenizer_in(folder: Path) -> str:
    """Of a saved model, or of the run that holds it."""
    model = load_model(folder / "model" if (folder / "model").is_dir() else folder)
    if not isinstance(model.normalise, Tokenise):
        raise ConfigError(f"start: {folder} holds a model of pages, this run reads texts; start from a run on texts")
    return model.normalise.tokenizer
