"""What layout readers share: annotation files of a bounded size, images inside their folder, boxes that are mended.

A fault that leaves no doubt about what was meant is mended, counted and named (`PageSet.repairs`); one that does is an
InputError. With `repair: strict` in the settings of a reader both are errors.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from distildoc.schema.errors import InputError
from distildoc.schema.images import one_line
from distildoc.schema.pages import Box

MAX_BYTES = 2 << 30  # of an annotation file: PubLayNet's largest has 1.7 GB, read whole
ROUNDING_PX = 0.5  # a box may reach so far outside its page and is cut off without a word

Repair = Literal["mend", "strict"]
T = TypeVar("T")


@dataclass(frozen=True)
class Repairs:
    """Faults that were mended, by kind."""

    file: str
    mode: Repair = "mend"
    seen: dict[str, list[str]] = field(default_factory=dict)

    def note(self, fault: str, remedy: str, where: str) -> None:
        """Count a fault (in the plural); raises InputError where faults are not to be mended."""
        if self.mode == "strict":
            raise InputError(f"{self.file}: {fault}, first {where}; mend the file, or take out `repair: strict`")
        self.seen.setdefault(f"{fault} were {remedy}", []).append(where)

    def lines(self) -> tuple[str, ...]:
        """A line a kind of fault: what, how often, where first."""
        return tuple(
            f"{self.file}: {what}: {len(places)}, first {places[0]}" for what, places in sorted(self.seen.items())
        )


def mended(box: Box, size: tuple[int, int], repairs: Repairs, *, where: str) -> Box | None:
    """The part of a box that is on its page, or None where that has no area.

    Raises InputError for a number that is not finite.
    """
    if not all(map(math.isfinite, box)):
        raise InputError(f"{repairs.file}: the box {box} {where} has a number that is not finite")
    (left, top, right, bottom), (width, height) = box, size
    if right <= left or bottom <= top:
        repairs.note("boxes without area", "dropped", where)
        return None
    if min(right, width) <= max(left, 0) or min(bottom, height) <= max(top, 0):
        repairs.note("boxes that lie outside their page", "dropped", where)
        return None
    if max(-left, -top, right - width, bottom - height) > ROUNDING_PX:
        repairs.note("boxes that reach outside their page", "clipped", where)
    return max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))


def read_annotations(path: Path, kind: TypeAdapter[T], *, what: str) -> T:
    """A JSON file of a known form; raises InputError naming the file and the first field that is wrong."""
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= MAX_BYTES else b""
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)})") from None
    if size > MAX_BYTES:
        raise InputError(
            f"{path}: {size} bytes, more than the {MAX_BYTES} that are read of an annotation file; part it"
        )
    try:
        return kind.validate_json(raw)
    except ValidationError as error:
        raise InputError(f"{path}: no {what}: {_first_fault(error)}") from None


def inside(name: str, where: str) -> PurePosixPath:
    """A path relative to the folder of the images; raises InputError where it leads out of it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise InputError(f"{where}: the path '{name}' leads out of the images folder")
    return path


def check_present(files: Iterable[tuple[str, Path]], folder: Path, where: str) -> None:
    """Raises InputError with the count and the first name where images are not there."""
    listed = list(files)
    missing = [name for name, path in listed if not path.is_file()]
    if missing:
        raise InputError(
            f"{where}: {len(missing)} of {len(listed)} images are not below '{folder}', first '{missing[0]}'; "
            "name their folder with `images`, or take them out of the file"
        )


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"][0].lower() + first["msg"][1:]
    if first["type"] in ("json_invalid", "missing"):
        return f"{place}: {message}" if place else message
    return f"{place}: {message}, got {str(first['input'])[:60]!r}"
