"""Memos: field block under a heading, ruled or boxed, then a short text."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.fonts import Font
from distildoc.data.corpus.hand import new_hand
from distildoc.data.corpus.marks import page_number, stamp
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.templates.blocks import centred, lines_of_text, page_column, paragraphs
from distildoc.data.corpus.writer import Writer


def _fields(sheet: Sheet, writer: Writer) -> list[tuple[str, str]]:
    subject = sheet.fact("subject", writer.line(grammar.TITLES))
    found = [
        ("To", sheet.fact("recipient", writer.cast[1])),
        ("From", sheet.fact("sender", writer.cast[0])),
        ("Date", sheet.fact("date", writer.date())),
        ("Subject", subject),
    ]
    if writer.rng.random() < 0.4:
        found.insert(2, ("cc", f"{writer.cast[2]}, {writer.cast[3]}"))
    return found


def _draw_fields(column: Column, fields: list[tuple[str, str]], label: Font, upper: bool) -> None:
    sheet = column.sheet
    for name, value in fields:
        with sheet.region("Text"):
            shown = f"{name.upper() if upper else name}:"
            base = column.y + label.size
            sheet.text(column.x, base, shown, label)
            inner = Column(sheet, column.x + 74, column.y, column.width - 74, column.bottom)
            inner.set(value, Setting(sheet.look.text(), 1.22), None)
            column.y = inner.y + 5


def _body(column: Column, writer: Writer, setting: Setting) -> None:
    rng = writer.rng
    paragraphs(column, [writer.paragraph(grammar.BUSINESS, 2, 4) for _ in range(rng.randint(1, 3))], setting)
    if rng.random() < 0.6:
        column.items(
            writer.lines(grammar.SHORT, rng.randint(3, 6)),
            setting,
            bullet=rng.choice(("1", "disc", "a", "-")),
        )
        column.gap(6)
    paragraphs(column, [writer.paragraph(grammar.REPORT, 2, 4) for _ in range(rng.randint(0, 2))], setting)


def office_memo(sheet: Sheet, writer: Writer) -> None:
    """MEMORANDUM in the middle, fields, a rule, text, initials."""
    column = page_column(sheet, top=60)
    if writer.rng.random() < 0.6:
        company = sheet.fact("company", writer.company().upper())
        column.y = centred(sheet, column.y, company, sheet.look.text(1.05), "Page-header", column.width) + 8
    title = writer.rng.choice(("MEMORANDUM", "Memorandum", "INTER-OFFICE MEMORANDUM", "INTERNAL MEMO"))
    column.y = centred(sheet, column.y, title, sheet.look.head(1.5), "Title", column.width) + 18
    _draw_fields(column, _fields(sheet, writer), sheet.look.bold(), writer.rng.random() < 0.5)
    column.gap(4)
    sheet.rule(column.x, column.y, column.x + column.width, column.y, thick=writer.rng.choice((0.6, 1.4)))
    column.gap(12)
    _body(column, writer, Setting(sheet.look.text(), 1.26, writer.rng.choice(("left", "justify"))))
    if column.room > 60:
        column.gap(14)
        initials = "".join(part[0] for part in sheet.facts["sender"].split())
        lines_of_text(
            column,
            [f"{initials}/{writer.rng.choice('abcdef')}{writer.rng.choice('klmnp')}"],
            sheet.look.text(0.9),
        )
    if writer.rng.random() < 0.3:
        stamp(sheet, sheet.width - 130, writer.rng.uniform(95, 150), writer.date(), sheet.rng)


def noted_memo(sheet: Sheet, writer: Writer) -> None:
    """A memo with its fields left of the title and a remark by hand in the margin."""
    column = page_column(sheet, top=70)
    with sheet.region("Title"):
        sheet.text(column.x, column.y, "M E M O", sheet.look.head(1.9))
    column.gap(26)
    _draw_fields(column, _fields(sheet, writer), sheet.look.text(), True)
    sheet.rule(column.x, column.y + 2, column.x + column.width, column.y + 2)
    sheet.rule(column.x, column.y + 4.5, column.x + column.width, column.y + 4.5)
    column.gap(18)
    _body(column, writer, Setting(sheet.look.text(), writer.rng.choice((1.25, 1.5))))
    if column.room > 50:
        hand = new_hand(sheet, 15, (0.1, 0.12, 0.4), sheet.rng)
        note = writer.rng.choice(("Please see me about this", "OK - go ahead", "Copy to files", "Agreed, thanks"))
        with sheet.turned(column.x + 200, column.y + 30, sheet.rng.uniform(2, 9)), sheet.region("Text"):
            hand.write(column.x + 190, column.y + 34, note)
    page_number(sheet, sheet.rng.choice(("", writer.code("File", 4))), "1", y=sheet.height - 38)


def boxed_memo(sheet: Sheet, writer: Writer) -> None:
    """A tinted box of fields under a coloured title; action points as squares."""
    look = sheet.look
    column = Column(sheet, 60, 56, sheet.width - 120, sheet.height - 70)
    with sheet.region("Title"):
        sheet.text(column.x, column.y + 14, writer.rng.choice(("Memo", "Internal memo", "Team memo")), look.head(2.6))
    column.gap(34)
    fields = _fields(sheet, writer)
    top = column.y
    depth = 22 + len(fields) * (look.size * 1.22 + 5) + look.size * 1.3
    sheet.rect((column.x, top, column.x + column.width, top + depth), fill=look.tint, edge=None)
    inner = column.inset(14, 14)
    inner.gap(12)
    _draw_fields(inner, fields, look.bold(), False)
    column.y = max(top + depth, inner.y) + 18
    setting = Setting(look.text(), 1.36)
    for heading in ("Background", "What we need", "Next steps")[: writer.rng.randint(2, 3)]:
        if not column.heading(heading, look.head(1.2)):
            break
        if heading == "Next steps":
            column.items(writer.lines(grammar.SHORT, writer.rng.randint(3, 5)), setting, bullet="square")
        else:
            paragraphs(column, [writer.paragraph(grammar.BUSINESS, 2, 4)], setting)
    page_number(sheet, sheet.fact("company", writer.company()), "Page 1", y=sheet.height - 40)


PLAIN = (office_memo, office_memo, noted_memo)
SHIFTED = (boxed_memo, boxed_memo, noted_memo)
