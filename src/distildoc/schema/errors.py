"""Errors a user can act on; the command line prints them as one line and exits with 2."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something the user gave cannot be used: a file, a label, a page, a folder."""


class ConfigError(InputError):
    """A setting is unknown, out of range, or does not fit another setting."""


class TapError(InputError):
    """A model has no module at the path that was asked for."""


def closest(name: str, known: Iterable[str]) -> str:
    """Name the known words nearest to a mistyped one, best first.

    >>> closest("fitnt", ["kd", "fitnet", "simkd"])
    'closest: fitnet'
    >>> closest("zzz", ["kd", "nkd"])
    'known: kd, nkd'
    """
    words = list(dict.fromkeys(known))
    near = get_close_matches(name, words, n=3, cutoff=0.5)
    if near:
        return "closest: " + ", ".join(near)
    shown = ", ".join(words[:12])
    return f"known: {shown}" + (" ..." if len(words) > 12 else "")
