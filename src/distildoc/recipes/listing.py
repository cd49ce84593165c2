"""What can be named in a run file, for people and programs."""

from distildoc.methods import METHODS, method_module
from distildoc.models.presets import MODELS


def method_rows() -> list[dict[str, str]]:
    """Name, what it does (first line of its page) and module of every method."""
    return [
        {"name": name, "idea": _first_line(method_module(name).__doc__), "module": method_module(name).__name__}
        for name in METHODS
    ]


def model_rows() -> list[dict[str, str]]:
    """Name and description of every preset."""
    return [{"name": name, "model": str(preset)} for name, preset in MODELS.items()]


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0]
