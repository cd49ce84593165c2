"""News articles: clippings and newspaper pages in columns with headlines and pictures."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.templates.blocks import lines_of_text, photo
from distildoc.data.corpus.vocabulary import TOWNS
from distildoc.data.corpus.writer import Writer

_PAPERS = ("The {town} Courier", "{town} Evening Post", "The {town} Observer", "{town} Weekly News")


def _paper(writer: Writer) -> str:
    return writer.fill(writer.rng.choice(_PAPERS))


def _caption(column: Column, writer: Writer) -> None:
    look = column.sheet.look
    text = writer.fill(f"{writer.person()} at {{place}} with the {{adj}} {{thing}}.")
    column.set(text, Setting(look.italic(0.84), 1.12), "Caption")
    column.gap(5)


def _story(columns: list[Column], writer: Writer, align: str, *, crosshead: bool = True) -> None:
    """Paragraphs that run through the columns, with a small heading here and there."""
    look = columns[0].sheet.look
    setting = Setting(look.text(0.92), 1.14, align, indent=9)
    rest, opening = "", True
    for column in columns:
        while column.room > 2 * setting.font.size * setting.leading:
            if not rest:
                if crosshead and not opening and writer.rng.random() < 0.12 and column.room > 60:
                    column.heading(writer.line(grammar.SHORT), look.bold(0.98), above=4)
                rest = writer.paragraph(grammar.NEWS, 1, 3)
                if opening:
                    rest = f"{writer.rng.choice(TOWNS).upper()} - {rest}"
                opening = False
            rest = column.set(rest, setting)
            if not rest:
                column.gap(2)


def _columns(sheet: Sheet, x: float, y: float, width: float, bottom: float, count: int) -> list[Column]:
    gutter = 14.0
    each = (width - gutter * (count - 1)) / count
    return [Column(sheet, x + k * (each + gutter), y, each, bottom) for k in range(count)]  # fmt: skip


def _headline(column: Column, writer: Writer, size: float, align: str = "left") -> None:
    sheet = column.sheet
    column.set(
        sheet.fact("headline", writer.line(grammar.HEADLINES)),
        Setting(sheet.look.head(size), 1.06, align),
        "Title",
    )
    column.gap(5)


def clipping(sheet: Sheet, writer: Writer) -> None:
    """One article cut out and pasted on a page, with the paper's name and date above."""
    rng, look = writer.rng, sheet.look
    x, width = rng.uniform(50, 90), rng.uniform(400, 440)
    column = Column(sheet, x, rng.uniform(56, 90), width, sheet.height - rng.uniform(60, 160))
    source = f"{sheet.fact('newspaper', _paper(writer))}, {sheet.fact('date', writer.date())}"
    lines_of_text(column, [source], look.label(0.9), "Page-header")
    column.gap(8)
    _headline(column, writer, rng.uniform(2.1, 2.9))
    lines_of_text(column, [f"By {sheet.fact('reporter', writer.stranger())}"], look.bold(0.9))
    column.gap(8)
    columns = _columns(sheet, x, column.y, width, column.bottom, rng.choice((2, 3)))
    if rng.random() < 0.7:
        spot = columns[-1]
        high = spot.width * rng.uniform(0.7, 1.0)
        photo(sheet, (spot.x, spot.y, spot.x + spot.width, spot.y + high))
        spot.gap(high + 3)
        _caption(spot, writer)
    _story(columns, writer, "justify")


def newspaper_page(sheet: Sheet, writer: Writer) -> None:
    """A front page: masthead, a lead story over five columns, a second story below."""
    rng, look, x = writer.rng, sheet.look, 38.0
    width = sheet.width - 2 * x
    column = Column(sheet, x, 26, width, sheet.height - 34)
    column.set(sheet.fact("newspaper", _paper(writer)), Setting(look.head(3.0), 1.1, "center"), "Page-header")
    sheet.rule(x, column.y + 3, x + width, column.y + 3, thick=1.2)
    with sheet.region("Page-header"):
        sheet.text(x, column.y + 14, sheet.fact("date", writer.date()), look.label(0.8))
        sheet.text(x + width, column.y + 14, f"No. {rng.randint(100, 9000)}", look.label(0.8), align="right")
    sheet.rule(x, column.y + 19, x + width, column.y + 19, thick=0.6)
    column.gap(26)
    _headline(column, writer, rng.uniform(2.4, 3.1), rng.choice(("left", "center")))
    middle = column.y + rng.uniform(0.5, 0.62) * column.room
    columns = _columns(sheet, x, column.y, width, middle, rng.choice((4, 5)))
    spot, second = columns[1], columns[2]
    high = rng.uniform(110, 150)
    right = second.x + second.width
    photo(sheet, (spot.x, spot.y, right, spot.y + high))
    under = Column(sheet, spot.x, spot.y + high + 2, right - spot.x, middle)
    _caption(under, writer)
    spot.y = second.y = under.y
    _story(columns, writer, "justify")
    sheet.rule(x, middle + 8, x + width, middle + 8, thick=0.8)
    lower = Column(sheet, x, middle + 12, width, sheet.height - 34)
    lower.set(writer.line(grammar.HEADLINES), Setting(look.head(1.7), 1.08), "Section-header")
    lower.gap(3)
    _story(_columns(sheet, x, lower.y, width, lower.bottom, len(columns)), writer, "justify", crosshead=False)


def web_article(sheet: Sheet, writer: Writer) -> None:
    """A news site as printed: coloured bar, wide picture, one column, related headlines."""
    rng, look = writer.rng, sheet.look
    sheet.rect((0, 0, sheet.width, 40), fill=look.accent, edge=None)
    with sheet.region("Page-header"):
        sheet.text(60, 27, sheet.fact("newspaper", _paper(writer)), look.head(1.4).inked((1, 1, 1)))
    column = Column(sheet, 60, 56, sheet.width - 120, sheet.height - 60)
    _headline(column, writer, 2.3)
    byline = f"{sheet.fact('reporter', writer.stranger())}  |  {sheet.fact('date', writer.date())}"
    lines_of_text(column, [byline], look.label(0.9))
    column.gap(10)
    high = rng.uniform(170, 230)
    photo(sheet, (column.x, column.y, column.x + column.width, column.y + high))
    column.gap(high + 3)
    _caption(column, writer)
    column.gap(6)
    related = column.bottom - 92
    setting = Setting(look.text(1.05), 1.4)
    while related - column.y > 60:
        body = Column(sheet, column.x, column.y, column.width, related)
        body.set(writer.paragraph(grammar.NEWS, 2, 3), setting)
        column.y = body.y + 8
    column.y = related + 4
    if column.heading("Related", look.head(1.2)):
        column.items(writer.lines(grammar.HEADLINES, 3), Setting(look.text()), bullet="square")
    with sheet.region("Page-footer"):
        sheet.text(
            sheet.width / 2,
            sheet.height - 30,
            "https://news.example.org/article",
            look.label(0.8),
            align="center",
        )


def magazine_spread(sheet: Sheet, writer: Writer) -> None:
    """A magazine page: picture at the top edge, large headline, pulled quotation."""
    rng, look = writer.rng, sheet.look
    high = rng.uniform(230, 290)
    photo(sheet, (0, 0, sheet.width, high))
    column = Column(sheet, 46, high + 12, sheet.width - 92, sheet.height - 54)
    _headline(column, writer, 2.7)
    column.set(writer.line(grammar.NEWS), Setting(look.text(1.25), 1.3), "Text")
    column.gap(10)
    columns = _columns(sheet, column.x, column.y, column.width, column.bottom, 3)
    quote = columns[1]
    sheet.rule(quote.x, quote.y + 2, quote.x + quote.width, quote.y + 2, thick=1.6, ink=look.accent)
    quote.gap(6)
    quote.set(writer.line(grammar.SLOGANS), Setting(look.head(1.45), 1.2), "Text")
    sheet.rule(quote.x, quote.y + 6, quote.x + quote.width, quote.y + 6, thick=1.6, ink=look.accent)
    quote.gap(14)
    _story(columns, writer, "left")
    with sheet.region("Page-footer"):
        sheet.text(
            46,
            sheet.height - 32,
            f"{rng.randint(4, 90)}   {sheet.fact('newspaper', _paper(writer))}",
            look.label(0.8),
        )


PLAIN = (clipping, clipping, newspaper_page)
SHIFTED = (web_article, magazine_spread)
