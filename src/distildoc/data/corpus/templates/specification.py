"""Specifications: numbered clauses, tables of properties, title blocks and revision boxes."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.marks import logo, page_number, running_head
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.tables import TableStyle, draw_table
from distildoc.data.corpus.templates.blocks import centred, page_column
from distildoc.data.corpus.writer import Writer

_SECTIONS = ("Scope", "Applicable documents", "Requirements", "Materials", "Test methods", "Marking", "Packing",
             "Inspection", "Storage", "Safety")  # fmt: skip


def _clauses(column: Column, writer: Writer, align: str, first: int = 1) -> int:
    """Numbered sections of numbered clauses until the column is full; returns the next number."""
    look = column.sheet.look
    names = writer.rng.sample(_SECTIONS[1:], 7)
    names[0] = "Scope" if first == 1 else names[0]
    for number, name in enumerate(names, start=first):
        if not column.heading(
            f"{number}. {name}" if align == "left" else f"{number}  {name.upper()}", look.bold(1.04), above=9
        ):
            return number
        for clause, text in enumerate(writer.lines(grammar.RULES, writer.rng.randint(1, 4)), start=1):
            if column.room < 34:
                return number + 1
            body = column.inset(34)
            with column.sheet.region("List-item"):
                column.sheet.text(column.x, column.y + look.size * 0.92, f"{number}.{clause}", look.text())
                body.set(text, Setting(look.text(), 1.24, align), None)
            column.y = body.y + 4
        if number in (3, 5) and column.room > 150:
            column.gap(4)
            _properties(column, writer, writer.rng.randint(3, 6))
            column.gap(6)
    return first + len(names)


def _properties(column: Column, writer: Writer, count: int) -> None:
    look, rng = column.sheet.look, writer.rng
    rows = [["Property", "Unit", "Min.", "Max.", "Method"]]
    for _ in range(count):
        name, unit = rng.choice(writer.domain.measures)
        low = rng.uniform(0.5, 80)
        rows.append(
            [
                f"{name[0].upper()}{name[1:]}",
                unit,
                f"{low:.1f}",
                f"{low * rng.uniform(1.2, 3):.1f}",
                f"M-{rng.randint(10, 99)}",
            ]
        )
    grid = "stripes" if look.shifted else rng.choice(("box", "lines", "rules"))
    draw_table(
        column,
        rows,
        (2.6, 1, 0.9, 0.9, 0.9),
        TableStyle(look.text(0.93), look.bold(0.93), "lcrrc", grid, look.tint),
    )


def numbered_specification(sheet: Sheet, writer: Writer) -> None:
    """Running head with number and revision, numbered clauses."""
    column, rng = page_column(sheet, top=64), writer.rng
    number = sheet.fact("specification number", writer.code("SPEC", 4))
    running_head(sheet, number, f"Revision {sheet.fact('revision', rng.choice('ABCDEFG'))}", ruled=rng.random() < 0.7)
    thing = rng.choice(writer.domain.things)
    title = f"Specification for {thing}"
    title = sheet.fact("title", title.upper() if rng.random() < 0.5 else title)
    column.y = centred(sheet, column.y, title, sheet.look.head(1.4), "Title", column.width)
    column.gap(6)
    _clauses(column, writer, rng.choice(("left", "justify")))
    page_number(sheet, sheet.fact("date", writer.date()), f"Page 1 of {rng.randint(2, 12)}", y=sheet.height - 36)


def boxed_specification(sheet: Sheet, writer: Writer) -> None:
    """A data sheet: a grid of particulars, then properties by group."""
    column, look, rng = page_column(sheet, top=50), sheet.look, writer.rng
    number = sheet.fact("specification number", writer.code("S", 5))
    company = sheet.fact("company", writer.company())
    particulars = [
        [company, "Material specification", number],
        [
            f"Issued: {sheet.fact('date', writer.date())}",
            f"Replaces: {writer.code('S', 5)}",
            f"Page 1 of {rng.randint(1, 4)}",
        ],
        [f"Approved: {writer.person()}", f"Department: {writer.department()}", f"Class: {rng.choice('ABC')}"],
    ]
    draw_table(
        column,
        particulars,
        (1.3, 1.5, 1),
        TableStyle(look.text(0.92), look.bold(0.95), "lcl", "box", look.tint, 5),
    )
    column.gap(12)
    material = rng.choice(writer.domain.materials)
    column.set(sheet.fact("title", material[0].upper() + material[1:]), Setting(look.head(1.5)), "Title")
    column.gap(4)
    column.set(writer.paragraph(grammar.RULES, 2, 3), Setting(look.text(), align="justify"))
    for name in rng.sample(("Physical properties", "Chemical analysis", "Performance", "Delivery condition"), 3):
        if not column.heading(name, look.bold(1.05), above=12) or column.room < 110:
            break
        _properties(column, writer, rng.randint(3, 6))
    column.gap(10)
    with sheet.region("Footnote"):
        sheet.text(
            column.x,
            min(column.y + 8, column.bottom),
            "1) Values apply at 23 C and 50 % relative humidity.",
            look.text(0.8),
        )


def product_sheet(sheet: Sheet, writer: Writer) -> None:
    """A manufacturer's technical sheet: coloured head, two columns of clauses."""
    look, rng = sheet.look, writer.rng
    sheet.rect((0, 0, sheet.width, 92), fill=look.tint, edge=None)
    logo(sheet, 44, 26, 42, sheet.rng)
    thing = rng.choice(writer.domain.things)
    with sheet.region("Title"):
        sheet.text(
            102,
            52,
            sheet.fact("title", f"{thing[0].upper()}{thing[1:]} {writer.code('X', 3)}"),
            look.head(2.1),
        )
    with sheet.region("Text"):
        sheet.text(
            102,
            70,
            f"Technical specification  {sheet.fact('specification number', writer.code('TS', 4))}",
            look.text(),
        )
    column = Column(sheet, 44, 108, sheet.width - 88, sheet.height - 66)
    column.set(writer.paragraph(grammar.REPORT, 2, 3), Setting(look.text(1.05), 1.35))
    column.gap(12)
    _properties(column, writer, 6)
    column.gap(10)
    half, number = (column.width - 24) / 2, 1
    for side in range(2):
        part = Column(sheet, column.x + side * (half + 24), column.y, half, column.bottom)
        number = _clauses(part, writer, "left", number)
    page_number(sheet, f"{sheet.fact('company', writer.company())}  {writer.date()}", "1 | 2", y=sheet.height - 38)


PLAIN = (numbered_specification, numbered_specification, boxed_specification)
SHIFTED = (product_sheet, product_sheet, boxed_specification)
