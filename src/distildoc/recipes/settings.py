"""Settings by signature: a function's keyword arguments are the keys a config may give it."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from distildoc.schema.errors import ConfigError, closest

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def checked_settings(function: Callable[..., Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The given settings, converted to the types of a function's keyword-only arguments, or of a record's fields.

    Raises ConfigError naming `where`, the key, the value and the keys or values allowed.
    """
    fields: dict[str, Any] = {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
        if inspect.isclass(function) or parameter.kind is parameter.KEYWORD_ONLY
    }
    strict = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    model = create_model("Settings", __config__=strict, **fields)
    checked = validated(model, given, where)
    return {name: getattr(checked, name) for name in fields if name in given}


def validated(model: type[M], given: Mapping[str, Any], where: str) -> M:
    """Validate, turning pydantic's report into one line for the user."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise ConfigError(_one_line(error, model, where)) from None


def _one_line(error: ValidationError, model: type[BaseModel], where: str) -> str:
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"] if not str(part).startswith("("))  # the tag of a choice
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, first["loc"][:-1])
        return f"{where}: unknown key '{path}'; {closest(str(first['loc'][-1]), known)}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    message = first["msg"].removeprefix("Value error, ")
    seen = f", got {first['input']!r}" if first["type"] != "missing" and not isinstance(first["input"], dict) else ""
    at = f"'{path}': " if path else ""
    return f"{where}: {at}{message[0].lower() + message[1:]}{seen}{more}"


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Field names of the nested model at a path of field names, list positions skipped."""
    current: type[BaseModel] = model
    for part in path:
        field = current.model_fields.get(str(part))
        nested = _model_in(field.annotation) if field else None
        current = nested or current
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if found := _model_in(part):
            return found
    return None
