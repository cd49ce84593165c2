"""Label sets and label maps: classes travel by name, never by id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distildoc.schema.errors import InputError, closest


@dataclass(frozen=True)
class LabelMap:
    """Many-to-one renaming of classes; `drop` removes the pages of a class, or its regions.

    Classes that are not mentioned are kept under their own name.

    >>> LabelMap({"email": "letter"}, drop=("memo",))("email")
    'letter'
    """

    rename: Mapping[str, str]
    drop: tuple[str, ...] = ()

    def __call__(self, name: str) -> str | None:
        """The mapped name, or None where the class is dropped."""
        return None if name in self.drop else self.rename.get(name, name)

    def within(self, labels: Sequence[str]) -> "LabelMap":
        """The part of the map that speaks of these classes, for data that lacks some."""
        rename = {old: new for old, new in self.rename.items() if old in labels}
        return LabelMap(rename, tuple(name for name in self.drop if name in labels))


def label_index(labels: Sequence[str], name: str, where: str) -> int:
    """Position of a class name; raises InputError with the closest names."""
    try:
        return labels.index(name)
    except ValueError:
        raise InputError(f"{where}: unknown class '{name}'; {closest(name, labels)}") from None


def align(teacher: Sequence[str], student: Sequence[str]) -> list[int]:
    """Column of the teacher for every class of the student.

    Raises InputError where the two sets differ, naming what is missing on each side.

    >>> align(["b", "a"], ["a", "b"])
    [1, 0]
    """
    missing = [name for name in student if name not in teacher]
    extra = [name for name in teacher if name not in student]
    if missing or extra:
        raise InputError(
            f"teacher and student label sets differ: only the student has {missing}, only the teacher has "
            f"{extra}; give a `labels` map in `data` so that both use the same names"
        )
    return [list(teacher).index(name) for name in student]
