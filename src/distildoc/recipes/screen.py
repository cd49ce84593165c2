"""What a stage tells whoever waits for it: lines, and bars."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

Advance = Callable[[int, int], None]
T = TypeVar("T")


@contextmanager
def no_bar(title: str) -> Iterator[Advance]:
    """Draws nothing."""
    yield lambda done, total: None


def no_line(line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True)
class Screen:
    """say  takes a line.
    bar  a context, by title, that gives a function of (done, total).
    """

    say: Callable[[str], None] = no_line
    bar: Callable[[str], AbstractContextManager[Advance]] = no_bar


SILENT = Screen()


def counted(items: Sequence[T], advance: Advance) -> Iterable[T]:
    """The items one by one, each reported once the next one is asked for."""
    for done, item in enumerate(items, start=1):
        yield item
        advance(done, len(items))
