"""JSON files that others wrote: size first, then content; errors in one line."""

import json
from pathlib import Path

from distildoc.schema.errors import InputError

MAX_BYTES = 4 << 20  # configs, bundles and reports are a few kilobytes; more is no settings file


def read_json(path: Path, *, max_bytes: int = MAX_BYTES) -> dict[str, object]:
    """The mapping in a JSON file; raises InputError naming the file when it is missing, too large or broken."""
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8") if size <= max_bytes else ""
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    if size > max_bytes:
        raise InputError(f"{path}: {size} bytes, more than the {max_bytes} allowed for a settings file")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also integers of thousands of digits
        raise InputError(f"{path}: not valid JSON ({error}); it may be truncated, make or fetch it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold a JSON object, found {type(content).__name__}")
    return content
