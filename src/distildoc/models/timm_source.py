"""timm networks by name, `timm:NAME`, through the extra `timm`."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from torch import nn

from distildoc.core.model import Model, Normalise, Places
from distildoc.models.bodies import TimmMapBody, TimmPooledBody, is_channels_last, leading_tokens, places_of
from distildoc.models.grey import grey_normalise
from distildoc.models.heads import linear_spec
from distildoc.schema.errors import ConfigError, InputError, closest


def timm_settings(*, drop_path_rate: float = 0.0, drop_rate: float = 0.0) -> dict[str, float]:
    """What a run may set: stochastic depth and dropout before the classifier, both 0..1."""
    return {"drop_path_rate": drop_path_rate, "drop_rate": drop_rate}


def build_timm(
    name: str,
    *,
    labels: Sequence[str],
    size: tuple[int, int],
    channels: int,
    pretrained: bool,
    **settings: float,
) -> Model:
    """A timm classifier with a classifier for these labels (timm draws it anew); timm itself sums RGB for grey."""
    arguments: dict[str, Any] = {"in_chans": channels, **{key: value for key, value in settings.items() if value}}
    network = _create(name, {**arguments, "num_classes": len(labels), "pretrained": pretrained}, size)
    linear = network.get_classifier()
    if not isinstance(linear, nn.Linear):
        raise InputError(f"model 'timm:{name}': its classifier is a {type(linear).__name__}, not one linear layer")
    network.reset_classifier(0)
    recipe = {
        "source": "timm",
        "name": name,
        "arguments": arguments,
        "size": list(size),
        "body": "pooled",
        "head": linear_spec(linear),
    }
    trained = network.pretrained_cfg
    normalise = Normalise(tuple(trained["mean"]), tuple(trained["std"]), size)
    return Model(
        TimmPooledBody(network),
        linear,
        normalise=normalise if channels == 3 else grey_normalise(normalise),
        labels=labels,
        places=timm_places(network),
        recipe=recipe,
    )


def timm_body(recipe: Mapping[str, object]) -> nn.Module:
    """The body of a saved timm model, weights yet to be loaded."""
    size, arguments = recipe.get("size"), recipe.get("arguments")
    if not isinstance(size, list) or not isinstance(arguments, dict) or not set(arguments) <= _ARGUMENTS:
        raise InputError("recipe: a timm model needs `size` and `arguments` of " + ", ".join(sorted(_ARGUMENTS)))
    network = _create(str(recipe.get("name")), {**arguments, "num_classes": 0}, (int(size[0]), int(size[1])))
    if recipe.get("body") == "pooled":
        return TimmPooledBody(network)
    return TimmMapBody(network, tokens=leading_tokens(network), channels_last=is_channels_last(network))


_ARGUMENTS = {"in_chans", "drop_path_rate", "drop_rate"}


def timm_places(network: nn.Module) -> Places:
    """Stages as timm lists them in `feature_info`; the last map is the final norm, or the last stage without one."""
    modules = dict(network.named_modules())
    listed = [str(entry["module"]) for entry in getattr(network, "feature_info", [])]
    stages = [name for name in listed if name in modules and any(True for _ in modules[name].parameters())]
    if not stages:
        stages = [path.removeprefix("body.network.") for path in places_of(network, prefix="").stages]
    norm = modules.get("norm")
    last = "norm" if norm is not None and not isinstance(norm, nn.Identity) else stages[-1]
    return Places(
        penultimate="body",
        map=f"body.network.{last}",
        stages=tuple(f"body.network.{name}" for name in stages),
        tokens=leading_tokens(network),
    )


def _create(name: str, arguments: dict[str, Any], size: tuple[int, int]) -> Any:
    timm = _timm()
    known = timm.list_models()
    if name.partition(".")[0] not in known:  # NAME.TAG names published weights of an architecture
        raise ConfigError(f"unknown timm model '{name}'; {closest(name, known)}")
    try:
        return timm.create_model(name, img_size=size, **arguments)
    except TypeError:  # networks without position embeddings take any size and no img_size
        pass
    try:
        return timm.create_model(name, **arguments)
    except TypeError as error:
        raise ConfigError(f"model 'timm:{name}' does not take these settings: {error}") from None


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise ImportError("timm models need timm: install distildoc[timm]") from error
    return timm  # type: ignore[no-any-return]
