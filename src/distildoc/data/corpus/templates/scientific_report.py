"""Scientific reports: cover pages, and pages of results with tables and charts in one column."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.marks import logo, page_number, running_head, stamp
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.tables import TableStyle, draw_table
from distildoc.data.corpus.templates.blocks import centred, figure, lines_of_text, page_column, paragraphs
from distildoc.data.corpus.writer import Writer

_SECTIONS = ("Summary", "Objective", "Procedure", "Results", "Discussion", "Conclusion", "Recommendations")


def _results(column: Column, writer: Writer, number: int, grid: str) -> bool:
    """A captioned table of measurements by sample and day."""
    look, rng = column.sheet.look, writer.rng
    count = rng.randint(4, 8)
    if column.room < 60 + 18 * count:
        return False
    measure, unit = rng.choice(writer.domain.measures)
    text = f"{measure[0].upper()}{measure[1:]} ({unit}) {writer.fill('at {place} {time}')}"
    column.set(text, Setting(look.text(0.93), lead=(f"Table {number}.", look.bold(0.93))), "Caption")
    column.gap(4)
    rows = [["Sample", "Day 1", "Day 2", "Day 3", "Mean"]]
    for sample in range(count):
        values = [rng.uniform(2, 95) for _ in range(3)]
        rows.append(
            [
                f"{rng.choice('ABCDEF')}-{sample + 101}",
                *(f"{v:.1f}" for v in values),
                f"{sum(values) / 3:.1f}",
            ]
        )
    draw_table(
        column,
        rows,
        (1.4, 1, 1, 1, 1),
        TableStyle(look.text(0.95), look.bold(0.95), "lrrrr", grid, look.tint),
    )
    column.gap(10)
    return True


def report_page(sheet: Sheet, writer: Writer) -> None:
    """A page from the middle of a report: text, a table, a chart."""
    column, rng, look = page_column(sheet, top=66), writer.rng, sheet.look
    running_head(sheet, sheet.fact("report number", writer.code("RR", 4)), writer.date(), ruled=rng.random() < 0.5)
    setting = Setting(look.text(), rng.choice((1.24, 1.24, 1.5)), rng.choice(("left", "justify")))
    tables = figures = 0
    start = rng.randint(1, 4)
    for number, name in enumerate(rng.sample(_SECTIONS, 4), start=start):
        if not column.heading(f"{number}. {name}", look.head(1.15)):
            break
        paragraphs(column, [writer.paragraph(grammar.REPORT, 3, 5) for _ in range(rng.randint(1, 2))], setting)
        if rng.random() < 0.55:
            tables += _results(column, writer, tables + 1, rng.choice(("rules", "box", "lines")))
        elif rng.random() < 0.8:
            figures += figure(column, writer, figures + 1, rng.uniform(140, 190), photo=rng.random() < 0.2)
    page_number(sheet, "", str(rng.randint(2, 48)), y=sheet.height - 38)


def _opening_sections(column: Column, writer: Writer) -> None:
    look, rng = column.sheet.look, writer.rng
    setting = Setting(look.text(), 1.25, rng.choice(("left", "justify")))
    for name in ("SUMMARY", "RESULTS", "CONCLUSIONS"):
        if not column.heading(name, look.bold(1.05)):
            break
        paragraphs(column, [writer.paragraph(grammar.REPORT, 3, 6)], setting)
        if name == "RESULTS":
            _results(column, writer, 1, "rules")
        elif name == "CONCLUSIONS":
            column.items(writer.lines(grammar.REPORT, rng.randint(2, 4)), setting, bullet="1")


def report_opening(sheet: Sheet, writer: Writer) -> None:
    """The first page: heading block, particulars, summary, results."""
    column, rng, look = page_column(sheet, top=56), writer.rng, sheet.look
    company = sheet.fact("company", writer.company())
    column.y = (
        centred(
            sheet,
            column.y,
            f"{company} - {writer.department()}",
            look.text(1.05),
            "Page-header",
            column.width,
        )
        + 8
    )
    column.y = centred(sheet, column.y, "TECHNICAL REPORT", look.bold(1.15), "Section-header", column.width) + 8
    title = sheet.fact("title", writer.line(grammar.TITLES))
    column.y = centred(sheet, column.y, title, look.head(1.55), "Title", 0.85 * column.width) + 12
    number = sheet.fact("report number", writer.code("TR", 4))
    author = sheet.fact("author", writer.person())
    lines_of_text(
        column,
        [f"Report no.: {number}", f"Author: {author}", f"Date: {sheet.fact('date', writer.date())}"],
        look.text(),
    )
    column.gap(6)
    sheet.rule(column.x, column.y, column.x + column.width, column.y)
    _opening_sections(column, writer)
    if rng.random() < 0.3:
        stamp(sheet, sheet.width - 130, rng.uniform(150, 190), writer.date(), sheet.rng)
    page_number(sheet, "", "1", y=sheet.height - 36)


def report_cover(sheet: Sheet, writer: Writer) -> None:
    """A cover with emblem, title, author and distribution list."""
    rng, look = writer.rng, sheet.look
    logo(sheet, sheet.width / 2 - 26, rng.uniform(70, 110), 52, sheet.rng)
    y = centred(sheet, 190, sheet.fact("company", writer.company()), look.text(1.3), "Page-header", 400) + 40
    y = centred(sheet, y, sheet.fact("title", writer.line(grammar.TITLES)), look.head(2.0), "Title", 400) + 26
    y = centred(sheet, y, f"by {sheet.fact('author', writer.person())}", look.text(1.15), "Text", 400) + 4
    y = centred(sheet, y, sheet.fact("date", writer.date()), look.text(1.1), "Text", 400) + 30
    y = centred(sheet, y, f"Report {sheet.fact('report number', writer.code('R', 4))}", look.bold(1.1), "Text", 400)
    column = Column(sheet, 90, max(y + 50, 520), sheet.width - 180, sheet.height - 70)
    column.heading("Distribution", look.bold(1.05))
    people = [f"{name}, {writer.department()}" for name in writer.cast[: rng.randint(3, 6)]]
    column.items(people, Setting(look.text()), bullet="1", indent=20)


def colour_report(sheet: Sheet, writer: Writer) -> None:
    """A designed report page: key message box, striped table, coloured chart side by side with text."""
    rng, look = writer.rng, sheet.look
    column = Column(sheet, 54, 50, sheet.width - 108, sheet.height - 66)
    sheet.rect((0, 0, 14, sheet.height), fill=look.accent, edge=None)
    column.set(sheet.fact("title", writer.line(grammar.TITLES)), Setting(look.head(1.9)), "Title")
    sheet.fact("report number", writer.code("RP", 4))
    column.set(
        f"Report {sheet.facts['report number']}  {sheet.fact('date', writer.date())}",
        Setting(look.label()),
        "Text",
    )
    column.gap(12)
    sheet.rect((column.x, column.y, column.x + column.width, column.y + 62), fill=look.tint, edge=None)
    inner = Column(sheet, column.x + 14, column.y + 8, column.width - 28, column.y + 58)
    inner.set(writer.line(grammar.REPORT) + " " + writer.line(grammar.REPORT), Setting(look.bold(1.05), 1.3), "Text")
    column.gap(72)
    half = (column.width - 22) / 2
    setting = Setting(look.text(), 1.34)
    left = Column(sheet, column.x, column.y, half, column.y + 230)
    left.heading("What we did", look.head(1.2), above=0)
    paragraphs(left, [writer.paragraph(grammar.REPORT, 3, 4)], setting)
    right = Column(sheet, column.x + half + 22, column.y, half, column.y + 250)
    figure(right, writer, 1, 150)
    column.y = max(left.y, right.y) + 6
    if column.heading("What we found", look.head(1.2)):
        paragraphs(column, [writer.paragraph(grammar.REPORT, 2, 4)], setting)
        _results(column, writer, 1, "stripes")
    if column.heading("What comes next", look.head(1.2)):
        column.items(writer.lines(grammar.SHORT, 4), setting, bullet="disc")
    page_number(sheet, sheet.fact("company", writer.company()), str(rng.randint(1, 30)), y=sheet.height - 40)


PLAIN = (report_page, report_page, report_opening, report_cover)
SHIFTED = (colour_report, colour_report, report_cover, report_page)
