"""File folders: nearly empty covers with a tab, a label, a stamp or a note by hand."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.fonts import Font, family
from distildoc.data.corpus.hand import new_hand
from distildoc.data.corpus.marks import bar_code, stamp
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.writer import Writer


def _cover(sheet: Sheet, ink: tuple[float, float, float]) -> None:
    sheet.rect((0, 0, sheet.width, sheet.height), fill=ink, edge=None)


def tabbed_folder(sheet: Sheet, writer: Writer) -> None:
    """A board with a tab at its edge that carries a typed label."""
    rng = writer.rng
    tone = rng.uniform(0.72, 0.9)
    _cover(sheet, (tone, tone, tone))
    width, left, top = rng.uniform(170, 240), rng.uniform(30, sheet.width - 280), rng.uniform(24, 40)
    edge = (tone - 0.3,) * 3
    sheet.rule(0, top + 44, left, top + 44, thick=1.2, ink=edge)
    sheet.shape(
        [(left, top + 44), (left + 12, top), (left + width - 12, top), (left + width, top + 44)],
        fill=None,
        edge=edge,
        thick=1.2,
    )
    sheet.rule(left + width, top + 44, sheet.width, top + 44, thick=1.2, ink=edge)
    title = sheet.fact(
        "title",
        rng.choice(
            (
                writer.person(),
                writer.company(),
                writer.line(grammar.TITLES)[:26].strip(),
                writer.domain.name.title(),
            )
        ),
    )
    number = sheet.fact("file number", writer.code("File", 4))
    sheet.rect((left + 18, top + 7, left + width - 18, top + 38), fill=(0.97, 0.97, 0.97), edge=edge, thick=0.5)
    font = Font(family("courier").bold, min(10.5, (width - 44) / (0.6 * max(len(title), 10))))
    with sheet.region("Text"):
        sheet.text(left + 24, top + 20, title, font)
        sheet.text(left + 24, top + 33, number, font.at(9))
    _extras(sheet, writer)


def written_folder(sheet: Sheet, writer: Writer) -> None:
    """A cover with a few words by hand along the edge."""
    rng = writer.rng
    tone = rng.choice((1.0, 0.94, 0.8, 0.7))
    _cover(sheet, (tone, tone, tone))
    hand = new_hand(sheet, rng.uniform(20, 30), (0.12, 0.12, 0.12), sheet.rng)
    title = sheet.fact("title", writer.rng.choice(writer.domain.tasks).title())
    x, y = rng.uniform(60, 140), rng.uniform(60, 160)
    with sheet.turned(x, y, rng.choice((0.0, 2.0, -3.0))), sheet.region("Text"):
        hand.write(x, y, title)
        hand.write(x + 8, y + 34, sheet.fact("year", str(writer.year)))
    if rng.random() < 0.6:
        sheet.rule(26, 0, 26, sheet.height, thick=1.5, ink=(max(tone - 0.2, 0),) * 3)
    _extras(sheet, writer)


def labelled_folder(sheet: Sheet, writer: Writer) -> None:
    """A white label on board: box, name, number and bar code."""
    rng = writer.rng
    tone = rng.uniform(0.62, 0.85)
    _cover(sheet, (tone, tone, tone))
    x, y, wide = rng.uniform(120, 200), rng.uniform(140, 320), rng.uniform(230, 280)
    sheet.rect((x, y, x + wide, y + 110), fill=(1, 1, 1), edge=(0.2, 0.2, 0.2), thick=1.0)
    font = Font(family("helvetica").bold, 13)
    with sheet.region("Text"):
        sheet.text(x + 14, y + 26, sheet.fact("title", writer.department())[:30], font)
        sheet.text(x + 14, y + 46, f"Box {rng.randint(1, 400)}", font.at(11))
        sheet.text(x + 14, y + 62, sheet.fact("file number", writer.code("F", 6)), font.at(11))
    bar_code(sheet, (x + 14, y + 74, x + wide - 60, y + 100), sheet.rng)
    _extras(sheet, writer)


def _extras(sheet: Sheet, writer: Writer) -> None:
    rng = writer.rng
    if rng.random() < 0.5:
        stamp(
            sheet,
            rng.uniform(160, sheet.width - 160),
            rng.uniform(430, sheet.height - 120),
            writer.date(),
            sheet.rng,
        )
    if rng.random() < 0.4:
        tone = rng.uniform(0.35, 0.6)
        y = rng.uniform(500, sheet.height - 40)
        sheet.rule(
            rng.uniform(0, 60),
            y,
            sheet.width - rng.uniform(0, 60),
            y + rng.uniform(-6, 6),
            thick=0.7,
            ink=(tone,) * 3,
        )


def coloured_folder(sheet: Sheet, writer: Writer) -> None:
    """A coloured card folder with an index panel of ruled lines."""
    rng, look = writer.rng, sheet.look
    red, green, blue = look.accent
    card = (0.55 + 0.45 * red, 0.55 + 0.4 * green, 0.5 + 0.4 * blue)
    _cover(sheet, card)
    x, wide, y = rng.uniform(60, 110), rng.uniform(330, 400), rng.uniform(90, 200)
    rows = rng.randint(4, 7)
    sheet.rect((x, y, x + wide, y + 40 + 26 * rows), fill=(0.99, 0.98, 0.95), edge=look.accent, thick=1.2)
    with sheet.region("Title"):
        sheet.text(x + 16, y + 28, sheet.fact("title", writer.domain.name.title()), look.head(1.7))
    hand = new_hand(sheet, 15, (0.1, 0.12, 0.4), sheet.rng)
    names = ("Number", "Opened", "Owner", "Closed", "Shelf", "Remarks", "Copies")
    number = sheet.fact("file number", writer.code("A", 5))
    values = (number, writer.date(), sheet.fact("owner", writer.person()), "", writer.code("R", 2), "", "")
    with sheet.region("Table"):
        for row in range(rows):
            base = y + 60 + 26 * row
            sheet.text(x + 16, base, names[row], look.label(0.85))
            sheet.rule(x + 80, base + 3, x + wide - 16, base + 3, thick=0.5, ink=(0.5, 0.5, 0.5))
            if values[row] and hand.width(values[row]) < wide - 110:
                hand.write(x + 86, base, values[row])
    if rng.random() < 0.6:
        stamp(
            sheet,
            rng.uniform(200, sheet.width - 160),
            rng.uniform(520, sheet.height - 120),
            writer.date(),
            sheet.rng,
        )


PLAIN = (tabbed_folder, written_folder, labelled_folder)
SHIFTED = (coloured_folder, coloured_folder, written_folder)
