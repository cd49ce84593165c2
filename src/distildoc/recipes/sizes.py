"""How pages become pixels in a run."""

from distildoc.data.augment import Augmentation
from distildoc.recipes.config import RunConfig
from distildoc.recipes.settings import checked_settings
from distildoc.schema.preprocess import Preprocess


def size_of(config: RunConfig) -> tuple[int, int]:
    """(height, width) of the network input in pixels."""
    return config.input.height, config.input.width


def preprocess_of(config: RunConfig) -> Preprocess:
    return Preprocess(config.input.height, config.input.width, config.input.fit, config.input.grey)


def augmentation_of(config: RunConfig) -> Augmentation | None:
    if config.augmentation is None:
        return None
    settings = checked_settings(Augmentation, config.augmentation, "augmentation")
    return Augmentation(**settings)
