"""Handwritten pages: notes and letters on ruled, plain or squared paper."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.hand import Hand, Marker, Pen, new_hand
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.writer import Writer

_INKS = ((0.08, 0.10, 0.32), (0.12, 0.12, 0.12), (0.05, 0.15, 0.45), (0.25, 0.25, 0.27))


def _ruled(sheet: Sheet, step: float, top: float, margin: float) -> None:
    ink = (0.62, 0.72, 0.84) if sheet.look.shifted else (0.72, 0.72, 0.74)
    y = top
    while y < sheet.height - 30:
        sheet.rule(0, y, sheet.width, y, thick=0.5, ink=ink)
        y += step
    if margin:
        line = (0.85, 0.45, 0.45) if sheet.look.shifted else (0.6, 0.6, 0.6)
        sheet.rule(margin, 0, margin, sheet.height, thick=0.7, ink=line)


def _squared(sheet: Sheet, step: float) -> None:
    ink = (0.78, 0.84, 0.90) if sheet.look.shifted else (0.82, 0.82, 0.83)
    x = step / 2
    while x < sheet.width:
        sheet.rule(x, 0, x, sheet.height, thick=0.35, ink=ink)
        x += step
    y = step / 2
    while y < sheet.height:
        sheet.rule(0, y, sheet.width, y, thick=0.35, ink=ink)
        y += step


def _broken(text: str, hand: Hand, width: float) -> list[str]:
    """Lines that fit the width as this hand writes, with a ragged right edge."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and 1.1 * hand.width(longer) > width * hand.rng.uniform(0.9, 1.0):
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


class _Writing:
    """A place on the page where a hand writes line by line."""

    def __init__(self, sheet: Sheet, hand: Hand, x: float, y: float, step: float) -> None:
        self.sheet, self.hand, self.x, self.y, self.step = sheet, hand, x, y, step
        self.width = sheet.width - x - 46

    def block(self, text: str, kind: str = "Text", indent: float = 0.0) -> bool:
        """Write a block of lines as one region; say whether any line fitted."""
        rng = self.hand.rng
        lines = _broken(text, self.hand, self.width - indent)
        if self.y + self.step * min(2, len(lines)) > self.sheet.height - 40:
            return False
        with self.sheet.region(kind):
            for line in lines:
                if self.y > self.sheet.height - 40:
                    break
                self.hand.write(self.x + indent + rng.uniform(-3, 4), self.y - 0.12 * self.step, line)
                self.y += self.step
        return True


def _hand(sheet: Sheet, writer: Writer, size: float) -> Hand:
    ink = writer.rng.choice(_INKS)
    if writer.rng.random() < (0.35 if sheet.look.shifted else 0.12):
        return Marker(sheet, size, ink, sheet.rng)
    return Pen(sheet, size, ink, sheet.rng)


def written_letter(sheet: Sheet, writer: Writer) -> None:
    """A letter by hand: date, salutation, paragraphs, name."""
    rng = writer.rng
    step = rng.uniform(21, 27)
    margin = rng.choice((0.0, 72.0))
    if rng.random() < 0.65:
        _ruled(sheet, step, 64 + step, margin)
    page = _Writing(sheet, _hand(sheet, writer, 0.66 * step), 82 if margin else 58, 64 + step, step)
    with sheet.region("Text"):
        page.hand.write(sheet.width - 210, page.y - 0.12 * step, sheet.fact("date", writer.date()))
    page.y += 2 * step
    page.block(f"Dear {sheet.fact('recipient', writer.cast[1].split()[0])},")
    for _ in range(rng.randint(2, 4)):
        if not page.block(writer.paragraph(grammar.BUSINESS, 2, 4), indent=rng.choice((0.0, 24.0))):
            break
    if page.y < sheet.height - 3 * step:
        page.x += 180
        page.block(rng.choice(("Yours,", "Best wishes,", "With thanks,")))
        page.block(sheet.fact("sender", writer.cast[0].split()[0]))


def jotted_notes(sheet: Sheet, writer: Writer) -> None:
    """Meeting notes: underlined heading, dashes, arrows, a sum in the corner."""
    rng = writer.rng
    step = rng.uniform(22, 30)
    if rng.random() < 0.4:
        _squared(sheet, 14.2)
    elif rng.random() < 0.5:
        _ruled(sheet, step, 50 + step, rng.choice((0.0, 60.0)))
    page = _Writing(sheet, _hand(sheet, writer, 0.64 * step), 74, 50 + step, step)
    heading = sheet.fact("heading", f"{rng.choice(('Meeting', 'Notes', 'Call'))} {writer.date()}")
    with sheet.region("Section-header"):
        wide = page.hand.write(page.x, page.y - 0.12 * step, heading)
        sheet.rule(page.x, page.y + 1, page.x + wide, page.y + rng.uniform(-2, 2), thick=1.0, ink=(0.2, 0.2, 0.3))
    page.y += 1.4 * step
    for text in writer.lines(grammar.SHORT + grammar.REPORT, rng.randint(7, 13)):
        if rng.random() < 0.2:
            page.y += 0.6 * step
        if not page.block(f"- {text}", "List-item", indent=rng.choice((0.0, 0.0, 26.0))):
            break
    if page.y < sheet.height - 5 * step:
        _sum(page, writer)


def _sum(page: _Writing, writer: Writer) -> None:
    """Three numbers and their sum under a line."""
    values = [writer.rng.randint(12, 980) for _ in range(3)]
    x, page.y = page.x + 260, page.y + page.step
    total = page.sheet.fact("sum", str(sum(values)))
    with page.sheet.region("Text"):
        for value in (*map(str, values), total):
            if value == total:
                page.sheet.rule(x - 20, page.y - 0.9 * page.step, x + 60, page.y - 0.9 * page.step, thick=1.0)
            page.hand.write(x + 40 - page.hand.width(value), page.y - 0.12 * page.step, value)
            page.y += page.step


def notebook_page(sheet: Sheet, writer: Writer) -> None:
    """A lined notebook page in blue ink with sections, as photographed from a desk."""
    rng = writer.rng
    step = rng.uniform(22, 26)
    _ruled(sheet, step, 84, 88.0)
    for y in (110, sheet.height / 2, sheet.height - 110):
        sheet.oval((26, y - 8, 42, y + 8), fill=(0.55, 0.55, 0.58), edge=None)
    page = _Writing(sheet, _hand(sheet, writer, 0.68 * step), 98, 84, step)
    page.block(sheet.fact("heading", writer.rng.choice(writer.domain.tasks).title()), "Section-header")
    page.y += step
    while page.y < sheet.height - 130:
        if not page.block(writer.paragraph(grammar.REPORT, 1, 3)):
            break
        for text in writer.lines(grammar.SHORT, rng.randint(0, 3)):
            if not page.block(f"* {text}", "List-item", indent=16):
                break
        page.y += step


def sticky_notes(sheet: Sheet, writer: Writer) -> None:
    """Coloured notes stuck on a page, each in its own hand."""
    rng = writer.rng
    colours = ((1.0, 0.95, 0.55), (0.75, 0.93, 0.72), (1.0, 0.78, 0.82), (0.72, 0.88, 0.98))
    for row in range(3):
        for place in range(2):
            x, y = 50 + place * 260 + rng.uniform(0, 20), 50 + row * 240 + rng.uniform(0, 18)
            with sheet.turned(x + 110, y + 100, rng.uniform(-4, 4)):
                sheet.rect((x, y, x + 225, y + 205), fill=rng.choice(colours), edge=(0.8, 0.8, 0.75), thick=0.4)
                hand = new_hand(sheet, rng.uniform(15, 19), rng.choice(_INKS), sheet.rng)
                base = y + 34
                with sheet.region("Text"):
                    for line in _broken(writer.line(grammar.SHORT), hand, 178):
                        hand.write(x + 18, base, line)
                        base += 25
                    if rng.random() < 0.6:
                        hand.write(x + 18, y + 180, writer.cast[row].split()[0])


PLAIN = (written_letter, jotted_notes)
SHIFTED = (notebook_page, sticky_notes, jotted_notes)
