"""Reading: a page's regions in reading order, each with the text inside.

A word belongs to the smallest region that holds its middle. Words that lie in no region are gathered into blocks of
their own, so that a region the detector missed costs its name and not its text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from distildoc.predict.kinds import kind_of
from distildoc.predict.lines import Line, around, blocks_of, lines_of
from distildoc.predict.reading_order import reading_order
from distildoc.schema.pages import Box, Page
from distildoc.schema.predictions import Layout
from distildoc.schema.words import Word

WordsOf = Callable[[Page], Sequence[Word]]


@dataclass(frozen=True)
class Block:
    """A region with its text, or text without a region.

    label  class of the region; None for text that lies in none.
    kind   what that means for text (predict/kinds.py).
    box    left, top, right, bottom in pixels of the page.
    score  0..1; None where there is no region.
    """

    label: str | None
    kind: str
    box: Box
    score: float | None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Reading:
    """A page as it is read: `blocks` in order, those without a region among them."""

    layout: Layout
    blocks: tuple[Block, ...]

    @property
    def page(self) -> Page:
        return self.layout.page

    @property
    def regions(self) -> list[Block]:
        """The blocks that are regions, in reading order."""
        return [block for block in self.blocks if block.label is not None]


def read(layout: Layout, words_of: WordsOf | None) -> Reading:
    """The regions in reading order; with their text where `words_of` gives the words of a page.

    Raises InputError where the text cannot be read.
    """
    regions = _regions(layout)
    if words_of is None:
        return Reading(layout, _in_order(regions))
    inside: list[list[Word]] = [[] for _ in regions]
    outside: list[Word] = []
    by_area = sorted(range(len(regions)), key=lambda number: _area(regions[number].box))
    for word in words_of(layout.page):
        x, y = _middle(word.box, layout.size)
        home = next((inside[number] for number in by_area if _holds(regions[number].box, x, y)), outside)
        home.append(word)
    filled = [
        Block(block.label, block.kind, block.box, block.score, tuple(lines_of(words)))
        for block, words in zip(regions, inside, strict=True)
    ]
    loose = [_loose(lines, layout.size) for lines in blocks_of(outside)]
    return Reading(layout, _in_order([*filled, *loose]))


def _regions(layout: Layout) -> list[Block]:
    found = zip(layout.classes, layout.boxes.tolist(), layout.scores, strict=True)
    labels = [(layout.labels[place], (box[0], box[1], box[2], box[3]), float(score)) for place, box, score in found]
    return [Block(label, kind_of(label), box, score) for label, box, score in labels]


def _loose(lines: Sequence[Line], size: tuple[int, int]) -> Block:
    left, top, right, bottom = around(line.box for line in lines)
    width, height = size
    return Block(None, "text", (left * width, top * height, right * width, bottom * height), None, tuple(lines))


def _in_order(blocks: Sequence[Block]) -> tuple[Block, ...]:
    boxes = np.array([block.box for block in blocks], np.float64).reshape(-1, 4)
    return tuple(blocks[place] for place in reading_order(boxes, [block.kind for block in blocks]))


def _middle(box: Box, size: tuple[int, int]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2 * size[0], (box[1] + box[3]) / 2 * size[1]


def _holds(box: Box, x: float, y: float) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
