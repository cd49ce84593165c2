"""How pages become pixels in a run, or texts bytes."""

from distildoc.data.augment import Augmentation
from distildoc.recipes.config import RunConfig
from distildoc.recipes.settings import checked_settings
from distildoc.schema.errors import ConfigError
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.texts import TextInput


def size_of(config: RunConfig) -> tuple[int, int]:
    """(height, width) of the network input in pixels."""
    return config.input.height, config.input.width


def input_of(config: RunConfig) -> Preprocess | TextInput:
    """What makes the input of a page, or of a text."""
    if config.input.text_bytes is not None:
        return TextInput(config.input.text_bytes)
    return Preprocess(config.input.height, config.input.width, config.input.fit, config.input.grey)


def preprocess_of(config: RunConfig) -> Preprocess:
    """The same for what needs pixels; raises ConfigError for a run that reads texts."""
    made = input_of(config)
    if isinstance(made, TextInput):
        raise ConfigError("input.text_bytes: this needs pages with pixels, and the run reads texts")
    return made


def augmentation_of(config: RunConfig) -> Augmentation | None:
    if config.augmentation is None:
        return None
    settings = checked_settings(Augmentation, config.augmentation, "augmentation")
    return Augmentation(**settings)
