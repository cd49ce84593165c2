"""Words to lines and blocks, by where they stand. Boxes are in shares of the page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from distildoc.schema.pages import Box
from distildoc.schema.words import SOFT_HYPHEN, Word

SAME_LINE = 0.4  # of the lower word's height that two words of a line share at least
BROKEN = (SOFT_HYPHEN, "-")  # what may end the first half of a word
SAME_BLOCK = 1.0  # of a line's height that may lie between two lines of a block
WIDE_GAP = 3.0  # widths of a character that part two columns of text nobody has outlined


@dataclass(frozen=True)
class Line:
    """Words of one line, from left to right."""

    words: tuple[Word, ...]

    @property
    def box(self) -> Box:
        return around(word.box for word in self.words)

    @property
    def text(self) -> str:
        """The words with blanks between them; a hyphen at its end is an ordinary one."""
        return " ".join(word.text for word in self.words).replace(SOFT_HYPHEN, "-")


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box around some."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def lines_of(words: Iterable[Word]) -> list[Line]:
    """Lines from top to bottom."""
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda word: _middle(word.box)):
        if lines and _same_line(lines[-1][-1].box, word.box):
            lines[-1].append(word)
        else:
            lines.append([word])
    return [Line(tuple(sorted(line, key=lambda word: word.box[0]))) for line in lines]


def blocks_of(words: Iterable[Word]) -> list[list[Line]]:
    """Lines that stand close together, for text that lies in no region."""
    blocks: list[list[Line]] = []
    for line in (part for whole in lines_of(words) for part in _parted(whole)):
        near = [block for block in blocks if _follows(block[-1].box, line.box)]
        if near:
            near[-1].append(line)
        else:
            blocks.append([line])
    return blocks


def paragraph(lines: Sequence[Line]) -> str:
    """The lines as running text; a word that a line end has broken is whole again, if its rest is in small letters."""
    text = ""
    for line in lines:
        words = " ".join(word.text for word in line.words)
        if text.endswith(BROKEN) and text[-2:-1].isalpha():
            text = (text[:-1] if words[:1].islower() else text) + words
        else:
            text = f"{text} {words}" if text else words
    return text.replace(SOFT_HYPHEN, "-")


def table_text(lines: Sequence[Line]) -> str:
    """The lines with their words at the columns where they stand, for a fixed-width font."""
    if not lines:
        return ""
    left = min(line.box[0] for line in lines)
    width = character_width(lines)
    rows = []
    for line in lines:
        row = ""
        for word in line.words:
            column = round((word.box[0] - left) / width)
            row += " " * max(column - len(row), 1 if row else 0) + word.text
        rows.append(row.replace(SOFT_HYPHEN, "-"))
    return "\n".join(rows)


def character_width(lines: Sequence[Line]) -> float:
    """Width of a character, as a share of the page's."""
    widths = [(word.box[2] - word.box[0]) / len(word.text) for line in lines for word in line.words]
    return max(median(widths), 1e-4)


def _parted(line: Line) -> list[Line]:
    """The line cut where a gap is too wide for one between words."""
    limit = WIDE_GAP * character_width([line])
    parts = [[line.words[0]]]
    for before, word in zip(line.words, line.words[1:], strict=False):
        if word.box[0] - before.box[2] > limit:
            parts.append([])
        parts[-1].append(word)
    return [Line(tuple(part)) for part in parts]


def _same_line(first: Box, second: Box) -> bool:
    height = min(first[3] - first[1], second[3] - second[1])
    return min(first[3], second[3]) - max(first[1], second[1]) >= SAME_LINE * height


def _follows(first: Box, second: Box) -> bool:
    shared = min(first[2], second[2]) - max(first[0], second[0])
    return shared > 0 and second[1] - first[3] <= SAME_BLOCK * (first[3] - first[1])


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2
