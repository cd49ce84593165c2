"""Parts that templates share: page columns, letterheads, address blocks, runs of paragraphs, figures."""

from collections.abc import Sequence

from distildoc.data.corpus.charts import chart
from distildoc.data.corpus.flow import Column, Setting, break_lines
from distildoc.data.corpus.fonts import Font
from distildoc.data.corpus.marks import logo
from distildoc.data.corpus.pictures import micrograph, picture, product
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.writer import Writer


def page_column(sheet: Sheet, top: float = 64.0, bottom: float = 62.0) -> Column:
    """The text area of a page; its side margins vary from page to page."""
    left, right = sheet.rng.uniform(54, 80), sheet.rng.uniform(50, 76)
    return Column(sheet, left, top, sheet.width - left - right, sheet.height - bottom)


def lines_of_text(column: Column, lines: Sequence[str], font: Font, kind: str = "Text", leading: float = 1.22) -> None:
    """Short lines under each other as one region."""
    with column.sheet.region(kind):
        for line in lines:
            column.y += font.size * leading
            column.sheet.text(column.x, column.y - 0.25 * font.size, line, font)


def paragraphs(column: Column, texts: Sequence[str], setting: Setting, gap: float | None = None) -> None:
    """Paragraphs with a gap between them, as far as they fit."""
    space = 0.55 * setting.font.size if gap is None else gap
    for text in texts:
        if column.room < 2.2 * setting.font.size * setting.leading:
            return
        column.set(text, setting)
        column.gap(space)


def letterhead(sheet: Sheet, writer: Writer, column: Column) -> str:
    """A company's name and address at the top, centred, or left with an emblem; returns the company."""
    company = writer.company()
    street, town = writer.address()
    big, small = sheet.look.head(sheet.rng.uniform(1.5, 2.1)), sheet.look.label(0.78)
    contact = f"{street}  {town}  Tel. {writer.phone()}"
    y = sheet.rng.uniform(40, 54)
    if sheet.rng.random() < 0.5:
        with sheet.region("Page-header"):
            sheet.text(sheet.width / 2, y + 8, company, big, align="center")
            sheet.text(sheet.width / 2, y + 22, contact, small, align="center")
    else:
        logo(sheet, column.x, y - 10, 34, sheet.rng)
        with sheet.region("Page-header"):
            sheet.text(column.x + 44, y + 6, company, big)
            sheet.text(column.x + 44, y + 20, contact, small)
    if sheet.rng.random() < 0.6:
        sheet.rule(
            column.x,
            y + 30,
            column.x + column.width,
            y + 30,
            thick=sheet.rng.choice((0.5, 1.2)),
            ink=sheet.look.accent,
        )
    column.y = y + 52
    return company


def centred(sheet: Sheet, y: float, text: str, font: Font, kind: str, width: float) -> float:
    """Text broken to `width` and centred on the page from y down; returns the y below it."""
    with sheet.region(kind):
        for line in break_lines(text, font, width):
            y += font.size * 1.18
            sheet.text(sheet.width / 2, y - 0.22 * font.size, line, font, align="center")
    return y


def figure(column: Column, writer: Writer, number: int, height: float, *, photo: bool = False) -> bool:
    """A chart or micrograph with its caption under it, if both fit; say whether they did."""
    sheet, look = column.sheet, column.sheet.look
    if column.room < height + 40:
        return False
    box = (column.x, column.y, column.x + column.width, column.y + height)
    axis, unit = writer.rng.choice(writer.domain.measures)
    if photo:
        with sheet.region("Picture"):
            sheet.image(micrograph(int(column.width * 1.1), int(height * 1.1), sheet.rng), box)
        text = writer.fill("Micrograph of {material} after {task}.")
    else:
        names = writer.rng.sample(writer.domain.materials, writer.rng.randint(3, 5))
        chart(sheet, box, names, f"{axis} ({unit})", sheet.rng)
        text = writer.fill(f"{axis[0].upper() + axis[1:]} for {len(names)} materials at {{place}}, {{month}} {{year}}.")
    column.y += height + 3
    lead = (f"Figure {number}.", look.bold(0.86))
    column.set(text, Setting(look.text(0.86), 1.15, lead=lead), "Caption")
    column.gap(8)
    return True


def photo(sheet: Sheet, box: tuple[float, float, float, float]) -> None:
    """A picture that fills the box, in colour where the look has colour."""
    x0, y0, x1, y1 = box
    scale = 1.15  # pixels a point: near the final image's own resolution
    colour = sheet.look.shifted or sheet.rng.random() < 0.7
    with sheet.region("Picture"):
        sheet.image(picture(int((x1 - x0) * scale), int((y1 - y0) * scale), sheet.rng, colour=colour), box)


def product_photo(sheet: Sheet, box: tuple[float, float, float, float]) -> None:
    """A still life that fills the box, always in colour."""
    x0, y0, x1, y1 = box
    with sheet.region("Picture"):
        sheet.image(product(int((x1 - x0) * 1.15), int((y1 - y0) * 1.15), sheet.rng), box)
