"""Presentation slides in landscape: titles, bullets, charts, pictures, section slides."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.charts import chart
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.fonts import Ink
from distildoc.data.corpus.marks import logo
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.tables import TableStyle, draw_table
from distildoc.data.corpus.templates.blocks import centred, photo
from distildoc.data.corpus.writer import Writer

_BIG = 2.0  # slide text against page text


def _frame(sheet: Sheet, writer: Writer) -> Column:
    """Background, title and footer of a slide; returns the area below the title."""
    rng, look = writer.rng, sheet.look
    kind = rng.randrange(4)
    title_ink: Ink = look.accent
    if kind == 0:
        sheet.rect((0, 0, sheet.width, 74), fill=look.accent, edge=None)
        title_ink = (1.0, 1.0, 1.0)
    elif kind == 1:
        sheet.rect((18, 18, sheet.width - 18, sheet.height - 18), edge=look.accent, thick=2.0)
    elif kind == 2:
        sheet.rect((0, 0, sheet.width, sheet.height), fill=look.tint, edge=None)
    column = Column(sheet, 48, 22, sheet.width - 96, sheet.height - 56)
    title = sheet.fact("title", rng.choice((writer.line(grammar.SHORT), writer.line(grammar.TITLES))))
    scale = 2.5 if look.head(2.5).width(title) < column.width else 1.9
    column.set(
        title,
        Setting(look.head(scale).inked(title_ink), 1.1, rng.choice(("left", "left", "center"))),
        "Title",
    )
    if kind == 3:
        sheet.rule(48, column.y + 8, sheet.width - 48, column.y + 8, thick=2.0, ink=look.accent)
    column.y = max(column.y + 20, 92)
    _foot(sheet, writer)
    return column


def _foot(sheet: Sheet, writer: Writer) -> None:
    font = sheet.look.label(0.95)
    with sheet.region("Page-footer"):
        sheet.text(48, sheet.height - 30, sheet.fact("company", writer.company()), font)
    with sheet.region("Page-footer"):
        sheet.text(sheet.width - 48, sheet.height - 30, str(writer.rng.randint(2, 40)), font, align="right")


def _bullets(column: Column, writer: Writer, count: int, scale: float = _BIG) -> None:
    setting, bullet = (
        Setting(column.sheet.look.text(scale), 1.24),
        writer.rng.choice(("disc", "disc", "square", "-")),
    )
    for text in writer.lines(grammar.SHORT, count):
        column.items([text], setting, bullet=bullet, indent=24)
        if writer.rng.random() < 0.25 and column.room > 60:
            inner = column.inset(34)
            inner.items(
                writer.lines(grammar.SHORT, 2),
                Setting(column.sheet.look.text(0.8 * scale), 1.2),
                bullet="-",
                indent=18,
            )
            column.y = inner.y
        column.gap(9)


def bullet_slide(sheet: Sheet, writer: Writer) -> None:
    """A title and bullets."""
    _bullets(_frame(sheet, writer), writer, writer.rng.randint(4, 8))


def chart_slide(sheet: Sheet, writer: Writer) -> None:
    """A chart with bullets beside it, or alone."""
    rng, column = writer.rng, _frame(sheet, writer)
    wide = column.width * (rng.uniform(0.5, 0.6) if rng.random() < 0.65 else 1.0)
    measure, unit = rng.choice(writer.domain.measures)
    names = rng.sample(writer.domain.materials, rng.randint(3, 5))
    chart(
        sheet,
        (column.x, column.y, column.x + wide, column.bottom - 8),
        names,
        f"{measure} ({unit})",
        sheet.rng,
    )
    if wide < column.width:
        side = Column(sheet, column.x + wide + 20, column.y + 10, column.width - wide - 20, column.bottom)
        _bullets(side, writer, 4, 1.4)


def table_slide(sheet: Sheet, writer: Writer) -> None:
    """A title, a table and one line under it."""
    rng, column, look = writer.rng, _frame(sheet, writer), sheet.look
    rows = [["", str(writer.year - 1), str(writer.year), "Change"]]
    for name in rng.sample(writer.domain.things, rng.randint(4, 6)):
        before, after = rng.randint(20, 900), rng.randint(20, 900)
        rows.append([name, str(before), str(after), f"{100 * (after - before) / before:+.0f}%"])
    grid = "stripes" if look.shifted else rng.choice(("box", "lines", "rules"))
    draw_table(column, rows, (2.6, 1, 1, 1), TableStyle(look.text(1.4), look.bold(1.4), "lrrr", grid, look.tint, 6))
    column.gap(12)
    column.set(writer.line(grammar.REPORT), Setting(look.italic(1.3)))


def title_slide(sheet: Sheet, writer: Writer) -> None:
    """The opening slide: title, speaker, occasion."""
    rng, look = writer.rng, sheet.look
    y = 0.3 * sheet.height
    if rng.random() < 0.5:
        sheet.rect((0, 0.26 * sheet.height, sheet.width, 0.27 * sheet.height), fill=look.accent, edge=None)
    y = (
        centred(
            sheet,
            y,
            sheet.fact("title", writer.line(grammar.TITLES)),
            look.head(3.2),
            "Title",
            0.8 * sheet.width,
        )
        + 22
    )
    y = centred(sheet, y, sheet.fact("speaker", writer.person()), look.text(1.9), "Text", 0.8 * sheet.width)
    y = (
        centred(
            sheet,
            y,
            f"{writer.role()}, {sheet.fact('company', writer.company())}",
            look.text(1.4),
            "Text",
            0.8 * sheet.width,
        )
        + 12
    )
    centred(sheet, y, sheet.fact("date", writer.date()), look.text(1.4), "Text", 0.8 * sheet.width)
    logo(sheet, sheet.width - 90, sheet.height - 86, 48, sheet.rng)


def photo_slide(sheet: Sheet, writer: Writer) -> None:
    """A picture over half the slide, text in the other half."""
    rng, look = writer.rng, sheet.look
    split = sheet.width * rng.uniform(0.42, 0.55)
    left = rng.random() < 0.5
    photo(sheet, (0, 0, split, sheet.height) if left else (sheet.width - split, 0, sheet.width, sheet.height))
    x = split + 34 if left else 40
    column = Column(sheet, x, 60, sheet.width - split - 74, sheet.height - 46)
    column.set(sheet.fact("title", writer.line(grammar.SHORT)), Setting(look.head(2.3), 1.12), "Title")
    column.gap(18)
    _bullets(column, writer, rng.randint(3, 4), 1.5)


def tile_slide(sheet: Sheet, writer: Writer) -> None:
    """Three tiles with a number each on a white or dark ground."""
    rng, look = writer.rng, sheet.look
    dark = rng.random() < 0.4
    if dark:
        sheet.rect((0, 0, sheet.width, sheet.height), fill=(0.12, 0.13, 0.18), edge=None)
    ink: Ink = (1.0, 1.0, 1.0) if dark else look.ink
    column = Column(sheet, 46, 34, sheet.width - 92, sheet.height - 50)
    column.set(sheet.fact("title", writer.line(grammar.TITLES)), Setting(look.head(2.3).inked(ink), 1.12), "Title")
    wide, top = (column.width - 2 * 18) / 3, column.y + 24
    for number in range(3):
        x = column.x + number * (wide + 18)
        sheet.rect((x, top, x + wide, column.bottom), fill=look.tint, edge=None)
        part = Column(sheet, x + 14, top + 14, wide - 28, column.bottom - 8)
        measure, unit = writer.domain.measures[number]
        value = sheet.fact(measure, f"{rng.randint(2, 480)} {unit}")
        part.set(value, Setting(look.head(2.4)), "Section-header")
        part.gap(4)
        part.set(measure[0].upper() + measure[1:], Setting(look.bold(1.25)))
        part.gap(8)
        part.set(writer.line(grammar.REPORT), Setting(look.text(1.2), 1.28))


PLAIN = (bullet_slide, bullet_slide, chart_slide, table_slide, title_slide)
SHIFTED = (photo_slide, tile_slide, chart_slide)
