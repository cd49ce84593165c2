"""The student of a run with its initial weights."""

from collections.abc import Callable

from distildoc.core.model import Model
from distildoc.models.load import load_start
from distildoc.recipes.config import RunConfig
from distildoc.recipes.settings import checked_settings
from distildoc.recipes.sizes import size_of


def built(
    config: RunConfig,
    labels: tuple[str, ...],
    build: Callable[..., Model],
    *,
    settings_of: Callable[[str], Callable[..., object]],
) -> Model:
    """What `build` makes of the model that the run names, with the weights of the run it starts from, if any.

    settings_of  a function whose keyword-only arguments are the settings of a model by name.
    """
    name = config.model.name
    student = build(
        name,
        labels=labels,
        size=size_of(config),
        channels=1 if config.input.grey else 3,
        pretrained=config.model.pretrained,
        seed=config.seed if config.model.seed is None else config.model.seed,
        **checked_settings(settings_of(name), config.model.settings, f"model ({name})"),
    )
    if config.start is not None:
        load_start(student, config.start, take=config.start_with)
    return student
