"""Letters: a business letter on letterhead, a typed private one, a coloured corporate one."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.hand import signature
from distildoc.data.corpus.marks import logo, page_number, stamp
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.templates.blocks import letterhead, lines_of_text, page_column, paragraphs
from distildoc.data.corpus.writer import Writer


def _body(column: Column, writer: Writer, count: int, align: str, indent: float = 0.0) -> None:
    texts = [writer.paragraph(grammar.BUSINESS, 2, 4) for _ in range(count)]
    texts.append(writer.rng.choice((
        "I look forward to hearing from you.",
        "Please call me if you have any questions.",
        "Thank you for your help in this matter.",
    )))  # fmt: skip
    body = Column(column.sheet, column.x, column.y, column.width, column.bottom - 105)
    paragraphs(body, texts, Setting(column.sheet.look.text(), 1.24, align, indent))
    column.y = body.y


def _closing(column: Column, writer: Writer, x: float, sender: str) -> None:
    sheet, look = column.sheet, column.sheet.look
    side = Column(sheet, x, column.y + 4, 220, column.bottom + 20)
    closing = writer.rng.choice(("Sincerely,", "Yours faithfully,", "Kind regards,", "Very truly yours,"))
    lines_of_text(side, [closing], look.text())
    if writer.rng.random() < 0.85:
        with sheet.region("Picture"):
            signature(sheet, side.x + 4, side.y + 26, sheet.rng)
    side.gap(36)
    lines_of_text(side, [sender, writer.role()], look.text())
    column.y = side.y + 10


def _addressee(column: Column, writer: Writer, name: str) -> None:
    lines = [name, writer.role(), writer.company(), *writer.address()]
    lines_of_text(column, lines, column.sheet.look.text())
    column.gap(14)


def business_letter(sheet: Sheet, writer: Writer) -> None:
    """Letterhead, date, inside address, subject, body, signature, enclosures."""
    column = page_column(sheet)
    company = letterhead(sheet, writer, column)
    sender, recipient = writer.cast[0], writer.cast[1]
    sheet.facts.update({"sender": sender, "recipient": recipient, "company": company})
    lines_of_text(column, [sheet.fact("date", writer.date())], sheet.look.text())
    column.gap(14)
    _addressee(column, writer, recipient)
    if writer.rng.random() < 0.6:
        subject = sheet.fact("subject", writer.line(grammar.TITLES))
        column.set(f"Re: {subject}", Setting(sheet.look.bold()), "Section-header")
        column.gap(8)
    lines_of_text(column, [f"Dear {recipient}:"], sheet.look.text())
    column.gap(6)
    _body(column, writer, writer.rng.randint(3, 5), writer.rng.choice(("left", "justify")))
    _closing(column, writer, column.x + writer.rng.choice((0, column.width * 0.52)), sender)
    if column.room > 0 and writer.rng.random() < 0.6:
        ends = writer.rng.choice(
            (["Enclosure"], [f"cc: {writer.cast[2]}"], ["Enclosures (2)", f"cc: {writer.cast[3]}"])
        )
        lines_of_text(column, ends, sheet.look.text(0.9))
    if writer.rng.random() < 0.25:
        stamp(sheet, sheet.width - 140, writer.rng.uniform(120, 190), writer.date(), sheet.rng)


def private_letter(sheet: Sheet, writer: Writer) -> None:
    """Sender and date at the right, indented paragraphs, no letterhead."""
    column = page_column(sheet, top=78)
    sender = sheet.fact("sender", writer.cast[0])
    corner = Column(sheet, column.x + 0.6 * column.width, column.y, 0.4 * column.width, column.bottom)
    lines_of_text(corner, [*writer.address(), sheet.fact("date", writer.date())], sheet.look.text())
    column.y = corner.y + 18
    recipient = sheet.fact("recipient", writer.cast[1])
    _addressee(column, writer, recipient)
    lines_of_text(column, [f"Dear {recipient.split()[0]},"], sheet.look.text())
    column.gap(8)
    _body(column, writer, writer.rng.randint(3, 6), "left", indent=26)
    _closing(column, writer, column.x + 0.5 * column.width, sender)
    if writer.rng.random() < 0.3:
        page_number(sheet, "", "- 1 -", y=sheet.height - 40)


def sidebar_letter(sheet: Sheet, writer: Writer) -> None:
    """A tinted side bar with the sender's details beside a ragged letter."""
    look, wide = sheet.look, sheet.rng.uniform(130, 160)
    sheet.rect((0, 0, wide, sheet.height), fill=look.tint, edge=None)
    logo(sheet, 28, 44, 46, sheet.rng)
    side = Column(sheet, 28, 108, wide - 40, sheet.height - 60)
    company = sheet.fact("company", writer.company())
    side.set(company, Setting(look.head(1.05)), "Page-header")
    side.gap(14)
    sender, recipient = writer.cast[0], writer.cast[1]
    sheet.facts.update({"sender": sender, "recipient": recipient})
    lines_of_text(side, [*writer.address(), writer.phone(), "www.example.org"], look.label(0.8), leading=1.45)
    column = Column(sheet, wide + 34, 66, sheet.width - wide - 84, sheet.height - 60)
    _addressee(column, writer, recipient)
    lines_of_text(column, [sheet.fact("date", writer.date())], look.text())
    column.gap(12)
    subject = sheet.fact("subject", writer.line(grammar.TITLES))
    column.set(subject, Setting(look.head(1.25)), "Section-header")
    column.gap(10)
    lines_of_text(column, [f"Dear {recipient},"], look.text())
    column.gap(6)
    _body(column, writer, writer.rng.randint(3, 4), "left")
    _closing(column, writer, column.x, sender)


def banded_letter(sheet: Sheet, writer: Writer) -> None:
    """A coloured band at the top and a footer of company particulars."""
    look = sheet.look
    sheet.rect((0, 0, sheet.width, 74), fill=look.accent, edge=None)
    company = sheet.fact("company", writer.company())
    with sheet.region("Page-header"):
        sheet.text(54, 46, company, look.head(2.0).inked((1, 1, 1)))
    column = Column(sheet, 54, 108, sheet.width - 108, sheet.height - 84)
    sender, recipient = writer.cast[0], writer.cast[1]
    sheet.facts.update({"sender": sender, "recipient": recipient})
    _addressee(column, writer, recipient)
    with sheet.region("Text"):
        sheet.text(column.x + column.width, column.y, sheet.fact("date", writer.date()), look.text(), align="right")
    column.gap(16)
    lines_of_text(column, [f"Dear {recipient},"], look.text())
    column.gap(6)
    _body(column, writer, writer.rng.randint(4, 5), "justify")
    _closing(column, writer, column.x, sender)
    sheet.rule(54, sheet.height - 58, sheet.width - 54, sheet.height - 58, ink=look.accent)
    with sheet.region("Page-footer"):
        particulars = f"{company}  |  {writer.address()[0]}  |  {writer.phone()}"
        sheet.text(sheet.width / 2, sheet.height - 44, particulars, look.label(0.76), align="center")


PLAIN = (business_letter, business_letter, private_letter)
SHIFTED = (sidebar_letter, banded_letter, business_letter)
