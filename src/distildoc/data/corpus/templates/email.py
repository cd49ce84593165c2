"""E-mails: a printed message, a printed thread, and a window of a mail program."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.marks import page_number, running_head
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.templates.blocks import lines_of_text, page_column, paragraphs
from distildoc.data.corpus.writer import Writer


def _clock(writer: Writer) -> str:
    return f"{writer.rng.randint(1, 12)}:{writer.rng.randint(0, 59):02d} {writer.rng.choice(('AM', 'PM'))}"


def _header(column: Column, writer: Writer, sender: str, recipient: str, facts: bool) -> None:
    sheet, look = column.sheet, column.sheet.look
    date, subject = writer.date(), writer.line(grammar.TITLES)
    rows = [
        ("From:", f"{sender} <{writer.email(sender)}>"),
        ("Sent:", f"{date} {_clock(writer)}"),
        ("To:", f"{recipient} <{writer.email(recipient)}>"),
        ("Subject:", writer.rng.choice(("", "RE: ", "FW: ")) + subject),
    ]
    if writer.rng.random() < 0.5:
        rows.insert(3, ("Cc:", "; ".join(writer.rng.sample(writer.cast[2:], 2))))
    if facts:
        sheet.facts.update({"sender": sender, "recipient": recipient, "date": date, "subject": subject})
    with sheet.region("Text"):
        for name, value in rows:
            sheet.text(column.x, column.y + look.size, name, look.bold())
            inner = column.inset(68)
            inner.set(value, Setting(look.text(), 1.22), None)
            column.y = inner.y + 2


def _message(column: Column, writer: Writer, sender: str, recipient: str, length: tuple[int, int]) -> None:
    look = column.sheet.look
    setting = Setting(look.text(), 1.22)
    lines_of_text(column, [f"{recipient.split()[0]},"], look.text())
    column.gap(5)
    paragraphs(
        column,
        [writer.paragraph(grammar.BUSINESS, 1, 4) for _ in range(writer.rng.randint(*length))],
        setting,
    )
    if writer.rng.random() < 0.4:
        column.items(writer.lines(grammar.SHORT, 3), setting, bullet=writer.rng.choice(("-", "1", "disc")))
        column.gap(6)
    if column.room > 60:
        ends = [writer.rng.choice(("Thanks,", "Regards,", "Best,")), sender]
        if writer.rng.random() < 0.5:
            ends += [writer.role(), writer.phone()]
        lines_of_text(column, ends, look.text())


def printed_mail(sheet: Sheet, writer: Writer) -> None:
    """One message as an office printer put it out: owner's name, rule, header, text."""
    column = page_column(sheet, top=58)
    sender, recipient = writer.cast[0], writer.cast[1]
    with sheet.region("Page-header"):
        sheet.text(column.x, column.y, recipient, sheet.look.bold(1.25))
    sheet.rule(column.x, column.y + 6, column.x + column.width, column.y + 6, thick=1.6)
    column.gap(18)
    _header(column, writer, sender, recipient, True)
    column.gap(16)
    _message(column, writer, sender, recipient, (1, 4))
    page_number(sheet, "", "1", y=sheet.height - 36)


def printed_thread(sheet: Sheet, writer: Writer) -> None:
    """A reply above the messages it answers."""
    column = page_column(sheet, top=62)
    people = writer.cast[:2]
    if writer.rng.random() < 0.5:
        running_head(sheet, f"Message print of {people[1]}", writer.date(), ruled=False)
    for turn in range(writer.rng.randint(2, 3)):
        sender, recipient = people[turn % 2], people[(turn + 1) % 2]
        if column.room < 170:
            break
        if turn:
            column.gap(10)
            with sheet.region("Text"):
                sheet.text(column.x, column.y + 8, "-----Original Message-----", sheet.look.text())
            column.gap(14)
        _header(column, writer, sender, recipient, turn == 0)
        column.gap(10)
        _message(column, writer, sender, recipient, (1, 2))
    page_number(sheet, "", f"Page 1 of {writer.rng.randint(1, 4)}", y=sheet.height - 36)


def mail_window(sheet: Sheet, writer: Writer) -> None:
    """A mail program's window: tool bar, avatar, subject in large type, attachments."""
    look, rng = sheet.look, writer.rng
    sheet.rect((0, 0, sheet.width, 44), fill=look.accent, edge=None)
    with sheet.region("Page-header"):
        for number, verb in enumerate(("Reply", "Forward", "Archive", "Delete")):
            sheet.text(46 + number * 74, 27, verb, look.label().inked((1, 1, 1)))
    column = Column(sheet, 46, 62, sheet.width - 92, sheet.height - 60)
    sender, recipient = writer.cast[0], writer.cast[1]
    subject, date = writer.line(grammar.TITLES), writer.date()
    sheet.facts.update({"sender": sender, "recipient": recipient, "subject": subject, "date": date})
    column.set(subject, Setting(look.head(1.6)), "Title")
    column.gap(12)
    with sheet.region("Picture"):
        sheet.oval((column.x, column.y, column.x + 34, column.y + 34), fill=look.accent, edge=None)
        initials = sender[0] + sender.split()[-1][0]
        sheet.text(column.x + 17, column.y + 22, initials, look.bold(1.3).inked((1, 1, 1)), align="center")
    with sheet.region("Text"):
        sheet.text(column.x + 44, column.y + 14, f"{sender} <{writer.email(sender)}>", look.bold())
        sheet.text(column.x + 44, column.y + 29, f"to {recipient}", look.text(0.9))
        sheet.text(column.x + column.width, column.y + 14, date, look.text(0.9), align="right")
    column.gap(46)
    sheet.rule(column.x, column.y, column.x + column.width, column.y, ink=(0.8, 0.8, 0.82))
    column.gap(14)
    _message(column, writer, sender, recipient, (2, 4))
    if column.room > 70 and rng.random() < 0.7:
        column.gap(16)
        for number in range(rng.randint(1, 3)):
            left = column.x + number * 158
            sheet.rect((left, column.y, left + 148, column.y + 30), fill=look.tint, edge=(0.75, 0.75, 0.8))
            with sheet.region("Text"):
                sheet.text(
                    left + 12,
                    column.y + 19,
                    f"{writer.code('file', 4)}.pdf  {rng.randint(20, 900)} KB",
                    look.label(0.82),
                )


PLAIN = (printed_mail, printed_thread)
SHIFTED = (mail_window, mail_window, printed_thread)
