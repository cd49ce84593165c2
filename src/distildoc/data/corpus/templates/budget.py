"""Budgets: tables of amounts by line and period whose columns and rows add up."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.charts import chart
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.marks import page_number, running_head
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.tables import TableStyle, draw_table
from distildoc.data.corpus.templates.blocks import centred, lines_of_text, page_column, paragraphs
from distildoc.data.corpus.writer import Writer

_LINES = (
    "Salaries and wages", "Travel", "Materials", "Equipment", "External services", "Rent", "Training", "Insurance",
    "Maintenance", "Printing and mailing", "Software licences", "Energy", "Consulting", "Contingency", "Freight",
    "Advertising", "Laboratory supplies", "Telephone",
)  # fmt: skip


def _sums(writer: Writer, lines: int, periods: list[str], low: int, high: int) -> tuple[list[list[str]], int]:
    """Printable rows with row totals and a last row of column totals, and the grand total."""
    rng = writer.rng
    rows, totals = [["", *periods, "Total"]], [0] * len(periods)
    for name in rng.sample(_LINES, lines):
        cells = [rng.randint(low, high) * rng.choice((1, 5, 10)) for _ in periods]
        totals = [a + b for a, b in zip(totals, cells, strict=True)]
        rows.append([name, *(f"{cell:,}" for cell in cells), f"{sum(cells):,}"])
    rows.append(["Total", *(f"{cell:,}" for cell in totals), f"{sum(totals):,}"])
    return rows, sum(totals)


def _align(periods: int) -> str:
    return "l" + "r" * (periods + 1)


def annual_budget(sheet: Sheet, writer: Writer) -> None:
    """Title in the middle, one table by quarter, notes under it."""
    column, look, rng = page_column(sheet, top=60), sheet.look, writer.rng
    sheet.fact("department", writer.department())
    sheet.fact("year", str(writer.year))
    column.y = centred(
        sheet, column.y, sheet.fact("company", writer.company()), look.text(1.1), "Page-header", column.width
    )
    title = f"{sheet.facts['department']} Budget {writer.year}"
    column.y = centred(sheet, column.y + 4, title, look.head(1.5), "Title", column.width)
    column.y = centred(sheet, column.y, "(thousands)", look.italic(0.95), "Text", column.width) + 14
    periods = ["1st Qtr", "2nd Qtr", "3rd Qtr", "4th Qtr"]
    rows, total = _sums(writer, rng.randint(8, 16), periods, 3, 180)
    sheet.fact("total", f"{total:,}")
    last = frozenset({len(rows) - 1})
    style = TableStyle(
        look.text(0.94),
        look.bold(0.94),
        _align(4),
        rng.choice(("rules", "lines", "box")),
        look.tint,
        bold_rows=last,
    )
    draw_table(column, rows, (2.6, 1, 1, 1, 1, 1.1), style)
    column.gap(14)
    if column.heading("Notes", look.bold(1.05)):
        column.items(writer.lines(grammar.REPORT, rng.randint(2, 4)), Setting(look.text(0.94)), bullet="1")
    page_number(sheet, writer.date(), "1", y=sheet.height - 38)


def cost_sheet(sheet: Sheet, writer: Writer) -> None:
    """Several small tables of one project, each with its own sum."""
    column, look, rng = page_column(sheet, top=58), sheet.look, writer.rng
    subject = sheet.fact("subject", writer.line(grammar.TITLES))
    column.set(f"Cost estimate: {subject}", Setting(look.head(1.35)), "Title")
    column.gap(4)
    lines_of_text(
        column,
        [f"Prepared by {sheet.fact('author', writer.person())}, {sheet.fact('date', writer.date())}"],
        look.text(),
    )
    grand = 0
    for part, name in enumerate(
        rng.sample(("Phase one", "Phase two", "Equipment", "Operations", "Overheads"), rng.randint(2, 4))
    ):
        rows, total = _sums(writer, rng.randint(3, 6), ["Year 1", "Year 2"], 100, 4000)
        if column.room < 50 + 18 * len(rows):
            break
        column.heading(f"{chr(65 + part)}. {name}", look.bold(1.08), above=10)
        rows[0][0] = "Line"
        style = TableStyle(
            look.text(), look.bold(), _align(2), "rules", look.tint, bold_rows=frozenset({len(rows) - 1})
        )
        draw_table(column, rows, (3, 1, 1, 1), style)
        grand += total
    column.gap(12)
    with sheet.region("Text"):
        sheet.text(column.x, column.y + 10, "Grand total", look.bold(1.1))
        sheet.text(
            column.x + column.width - 4,
            column.y + 10,
            sheet.fact("total", f"{grand:,}"),
            look.bold(1.1),
            align="right",
        )
    page_number(sheet, "", "- 1 -", y=sheet.height - 38)


def ledger_budget(sheet: Sheet, writer: Writer) -> None:
    """A wide monthly ledger in small type under a running head."""
    column, look, rng = page_column(sheet, top=66), sheet.look, writer.rng
    running_head(sheet, writer.company(), writer.code("Form", 4), ruled=True)
    column.x, column.width = 44, sheet.width - 88
    year = sheet.fact("year", str(writer.year))
    column.set(f"Statement of planned expenses, {year}", Setting(look.head(1.3), align="center"), "Title")
    column.gap(10)
    periods = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
    rows, total = _sums(writer, rng.randint(12, 17), periods, 10, 900)
    sheet.fact("total", f"{total:,}")
    style = TableStyle(look.text(0.82), look.bold(0.82), _align(6), "box", look.tint, 2.6, frozenset({len(rows) - 1}))
    draw_table(column, rows, (2.9, 1, 1, 1, 1, 1, 1, 1.2), style)
    column.gap(12)
    paragraphs(column, [writer.paragraph(grammar.REPORT, 2, 4)], Setting(look.text(0.95), align="justify"))
    with sheet.region("Footnote"):
        sheet.text(
            column.x,
            sheet.height - 58,
            "* Amounts without tax; totals may include reserves.",
            look.text(0.78),
        )


def dashboard_budget(sheet: Sheet, writer: Writer) -> None:
    """Key figures in tiles, a striped table and a chart."""
    look, rng = sheet.look, writer.rng
    column = Column(sheet, 48, 54, sheet.width - 96, sheet.height - 70)
    department = sheet.fact("department", writer.department())
    column.set(f"Budget plan {sheet.fact('year', str(writer.year))}", Setting(look.head(2.2)), "Title")
    column.set(department, Setting(look.text(1.15)), "Text")
    column.gap(14)
    rows, total = _sums(writer, rng.randint(6, 10), ["H1", "H2"], 40, 2600)
    rows[0][0] = "Category"
    tiles = (
        ("Total", sheet.fact("total", f"{total:,}")),
        ("Change", f"{rng.uniform(-9, 14):+.1f}%"),
        ("Lines", str(len(rows) - 2)),
    )
    wide = column.width / 3
    for number, (name, value) in enumerate(tiles):
        x = column.x + number * wide
        sheet.rect((x, column.y, x + wide - 10, column.y + 52), fill=look.tint, edge=None)
        with sheet.region("Text"):
            sheet.text(x + 10, column.y + 18, name, look.label(0.85))
            sheet.text(x + 10, column.y + 40, value, look.head(1.6))
    column.gap(70)
    style = TableStyle(look.text(), look.bold(), _align(2), "stripes", look.tint, 5, frozenset({len(rows) - 1}))
    draw_table(column, rows, (3, 1, 1, 1), style)
    column.gap(20)
    if column.room > 150:
        box = (column.x, column.y, column.x + column.width, column.y + min(column.room, 190))
        chart(sheet, box, [row[0].split()[0] for row in rows[1:6]], "Share of plan", sheet.rng)
    page_number(sheet, department, "1", y=sheet.height - 40)


PLAIN = (annual_budget, cost_sheet, ledger_budget)
SHIFTED = (dashboard_budget, dashboard_budget, annual_budget)
