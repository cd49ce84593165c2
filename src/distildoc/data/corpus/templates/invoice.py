"""Invoices: items whose amounts add up to the total, with tax, in three layouts."""

from dataclasses import dataclass

from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.marks import bar_code, logo, page_number, stamp
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.tables import TableStyle, draw_table
from distildoc.data.corpus.templates.blocks import letterhead, lines_of_text, page_column
from distildoc.data.corpus.writer import Writer, money


@dataclass(frozen=True)
class Bill:
    """The amounts of an invoice in cents, and the days until it is due.

    `rows` are printable cells of code, item, quantity, price, amount.
    """

    rows: list[list[str]]
    subtotal: int
    tax_percent: int
    tax: int
    total: int
    sign: str
    days: int


def new_bill(writer: Writer, low: int, high: int) -> Bill:
    """Random items of the writer's field and their sums."""
    rng = writer.rng
    rows, subtotal = [], 0
    for number in range(rng.randint(low, high)):
        thing = rng.choice((*writer.domain.things, *writer.domain.materials))
        quantity, price = rng.choice((1, 1, 2, 3, 4, 6, 10, 12, 25)), rng.randint(90, 48000)
        amount = quantity * price
        subtotal += amount
        name = thing[0].upper() + thing[1:] + rng.choice(("", "", ", spare part", ", type B", ", service", ", large"))
        rows.append([f"{rng.randint(100, 999)}-{number + 1:02d}", name, str(quantity), money(price), money(amount)])
    percent = rng.choice((0, 5, 7, 8, 19, 20))
    tax = (subtotal * percent + 50) // 100
    return Bill(
        rows, subtotal, percent, tax, subtotal + tax, rng.choice(("$", "$", "EUR ", "")), rng.choice((10, 14, 30, 60))
    )


def _facts(sheet: Sheet, writer: Writer, bill: Bill) -> dict[str, str]:
    issued, due = writer.date_and_due(bill.days)
    facts = {
        "invoice number": writer.code(writer.rng.choice(("INV", "No", "R")), writer.rng.randint(4, 6)),
        "date": issued,
        "due date": due,
        "customer": writer.company(),
        "subtotal": money(bill.subtotal, bill.sign),
        "tax": money(bill.tax, bill.sign),
        "total": money(bill.total, bill.sign),
    }
    sheet.facts.update(facts)
    return facts


def _totals(column: Column, bill: Bill, facts: dict[str, str], boxed: bool) -> None:
    sheet, look = column.sheet, column.sheet.look
    right, left = column.x + column.width - 4, column.x + 0.58 * column.width
    rows = [
        ("Subtotal", facts["subtotal"]),
        (f"Tax {bill.tax_percent}%", facts["tax"]),
        ("TOTAL", facts["total"]),
    ]
    column.gap(4)
    with sheet.region("Table"):
        for name, value in rows:
            font = look.bold(1.1 if name == "TOTAL" else 1.0) if name == "TOTAL" else look.text()
            if name == "TOTAL" and boxed:
                sheet.rect((left - 6, column.y + 1, right + 4, column.y + 19), fill=look.tint, edge=None)
            column.y += 16
            sheet.text(left, column.y - 3, name, font)
            sheet.text(right, column.y - 3, value, font, align="right")
        sheet.rule(left, column.y + 2, right, column.y + 2, thick=1.0, ink=look.ink)
    column.gap(18)


_HEAD = ["Item", "Description", "Qty", "Unit price", "Amount"]
_SHARES = (1.1, 3.4, 0.7, 1.3, 1.4)


def ruled_invoice(sheet: Sheet, writer: Writer) -> None:
    """Letterhead, bill-to and ship-to, boxed table, sums, terms."""
    column = page_column(sheet)
    sheet.fact("seller", letterhead(sheet, writer, column))
    look, bill = sheet.look, new_bill(writer, 4, 14)
    facts = _facts(sheet, writer, bill)
    with sheet.region("Title"):
        sheet.text(column.x + column.width, column.y + 6, "INVOICE", look.head(2.0), align="right")
    left = Column(sheet, column.x, column.y, 0.5 * column.width, column.bottom)
    lines_of_text(left, ["BILL TO"], look.label(0.85), "Section-header")
    lines_of_text(left, [facts["customer"], *writer.address(), f"Attn. {writer.person()}"], look.text())
    side = Column(sheet, column.x + 0.6 * column.width, column.y + 16, 0.4 * column.width, column.bottom)
    with sheet.region("Text"):
        for name in ("invoice number", "date", "due date"):
            side.y += 15
            sheet.text(side.x, side.y, f"{name.capitalize()}:", look.label())
            sheet.text(side.x + side.width, side.y, facts[name], look.bold(), align="right")
    column.y = max(left.y, side.y) + 22
    style = TableStyle(
        look.text(0.95), look.bold(0.95), "llrrr", writer.rng.choice(("box", "lines", "rules")), look.tint
    )
    draw_table(column, [_HEAD, *bill.rows], _SHARES, style)
    _totals(column, bill, facts, False)
    number = facts["invoice number"]
    terms = f"Terms: payment within {bill.days} days. Please quote {number} with your payment."
    column.set(terms, Setting(look.text(0.92)))
    if writer.rng.random() < 0.45:
        stamp(sheet, column.x + 110, min(column.y + 60, sheet.height - 90), writer.date(), sheet.rng)
    page_number(sheet, writer.rng.choice(("", facts["invoice number"])), "Page 1", y=sheet.height - 36)


def _particulars(column: Column, writer: Writer, facts: dict[str, str]) -> None:
    """A boxed row of invoice number, date, order and due date."""
    sheet, look = column.sheet, column.sheet.look
    particulars = [
        ["Invoice no.", "Date", "Your order", "Due"],
        [
            facts["invoice number"],
            facts["date"],
            sheet.fact("order number", writer.code("PO")),
            facts["due date"],
        ],
    ]
    draw_table(
        column,
        particulars,
        (1, 1.2, 1, 1.2),
        TableStyle(look.text(), look.label(0.85), "cccc", "box", look.tint),
    )


def statement_invoice(sheet: Sheet, writer: Writer) -> None:
    """A form-like invoice: a row of boxed particulars above the items."""
    column = page_column(sheet, top=54)
    look, bill = sheet.look, new_bill(writer, 3, 9)
    facts = _facts(sheet, writer, bill)
    seller = sheet.fact("seller", writer.company())
    with sheet.region("Page-header"):
        sheet.text(column.x, column.y, seller, look.head(1.35))
        sheet.text(column.x, column.y + 13, ", ".join(writer.address()), look.label(0.8))
    with sheet.region("Title"):
        sheet.text(
            column.x + column.width,
            column.y + 2,
            writer.rng.choice(("Invoice", "STATEMENT / INVOICE")),
            look.head(1.5),
            align="right",
        )
    column.gap(34)
    lines_of_text(column, ["Sold to:", facts["customer"], *writer.address()], look.text())
    column.gap(14)
    _particulars(column, writer, facts)
    column.gap(14)
    draw_table(column, [_HEAD, *bill.rows], _SHARES, TableStyle(look.text(), look.bold(), "llrrr", "box", look.tint))
    _totals(column, bill, facts, False)
    lines_of_text(column, ["Remit to:", seller, f"Account {writer.rng.randint(10**7, 10**8 - 1)}"], look.text(0.92))
    if writer.rng.random() < 0.4:
        stamp(sheet, sheet.width - 170, min(column.y + 20, sheet.height - 80), writer.date(), sheet.rng)


def modern_invoice(sheet: Sheet, writer: Writer) -> None:
    """Coloured head, emblem, striped items, bar code."""
    look, bill = sheet.look, new_bill(writer, 3, 10)
    facts = _facts(sheet, writer, bill)
    column = Column(sheet, 50, 52, sheet.width - 100, sheet.height - 80)
    logo(sheet, column.x, column.y - 8, 44, sheet.rng)
    seller = sheet.fact("seller", writer.company())
    with sheet.region("Page-header"):
        sheet.text(column.x + 56, column.y + 10, seller, look.head(1.3))
        sheet.text(column.x + 56, column.y + 25, ", ".join(writer.address()), look.label(0.8))
    with sheet.region("Title"):
        sheet.text(column.x + column.width, column.y + 14, "Invoice", look.head(2.7), align="right")
    column.gap(62)
    boxes = (
        ("Invoice number", facts["invoice number"]),
        ("Issued", facts["date"]),
        ("Due", facts["due date"]),
        ("Amount due", facts["total"]),
    )
    wide = column.width / len(boxes)
    for number, (name, value) in enumerate(boxes):
        x = column.x + number * wide
        sheet.rect((x, column.y, x + wide - 8, column.y + 44), fill=look.tint, edge=None)
        with sheet.region("Text"):
            sheet.text(x + 9, column.y + 16, name, look.label(0.78))
            sheet.text(x + 9, column.y + 33, value, look.bold(1.0))
    column.gap(60)
    lines_of_text(column, ["Billed to"], look.head(0.95), "Section-header")
    lines_of_text(column, [facts["customer"], *writer.address()], look.text())
    column.gap(16)
    style = TableStyle(look.text(), look.bold(), "llrrr", "stripes", look.tint, padding=5)
    draw_table(column, [_HEAD, *bill.rows], _SHARES, style)
    _totals(column, bill, facts, True)
    bar_code(sheet, (column.x, sheet.height - 108, column.x + 120, sheet.height - 78), sheet.rng)
    page_number(sheet, "Thank you for your business", "1 / 1", y=sheet.height - 42)


PLAIN = (ruled_invoice, statement_invoice)
SHIFTED = (modern_invoice, modern_invoice, ruled_invoice)
