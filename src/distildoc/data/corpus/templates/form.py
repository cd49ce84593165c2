"""Forms: boxed grids, ruled lines and tick boxes, filled in by hand or by machine."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.fonts import Font, family
from distildoc.data.corpus.hand import new_hand, signature
from distildoc.data.corpus.marks import logo, page_number, stamp, tick_box
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.templates.blocks import centred, page_column
from distildoc.data.corpus.writer import Writer

_TITLES = ("APPLICATION FORM", "Purchase Request", "Travel Expense Claim", "Sample Submission Form",
           "Change Request", "Equipment Loan Form", "Incident Report", "Registration Form")  # fmt: skip


def _entries(writer: Writer) -> list[tuple[str, str]]:
    name = writer.cast[0]
    street, town = writer.address()
    return [
        ("Name", name),
        ("Department", writer.department()),
        ("Street", street),
        ("Town", town),
        ("Telephone", writer.phone()),
        ("Date", writer.date()),
        ("Position", writer.role()),
        ("Reference", writer.code("F", 5)),
        ("Company", writer.company()),
        ("Cost centre", str(writer.rng.randint(1000, 9999))),
        ("E-mail", writer.email(name)),
        ("Supervisor", writer.cast[1]),
    ]


class _Filler:
    """Fills in answers: by hand, by typewriter, or not at all."""

    def __init__(self, sheet: Sheet, writer: Writer) -> None:
        self.sheet = sheet
        self.rng = writer.rng
        self.how = writer.rng.choice(("hand", "hand", "typed", "empty"))
        self.hand = new_hand(sheet, 12.5, (0.1, 0.13, 0.45), sheet.rng)
        self.typed = Font(family("courier").regular, 9.6)

    def fill(self, name: str, value: str, box: tuple[float, float, float]) -> None:
        """Write a value at x, baseline y, if it is no wider than the box; skipped answers are no facts."""
        x, y, width = box
        if self.how == "empty" or self.rng.random() < 0.08:
            return
        writer_width = self.hand.width(value) * 1.15 if self.how == "hand" else self.typed.width(value)
        if writer_width > width:
            return
        if self.how == "hand":
            self.hand.write(x, y, value, wobble=0.8)
        else:
            self.sheet.text(x, y, value, self.typed)
        self.sheet.facts[name.lower()] = value


def _title(sheet: Sheet, writer: Writer, column: Column) -> None:
    title = sheet.fact("form", writer.rng.choice(_TITLES))
    if writer.rng.random() < 0.6:
        company = writer.company()
        column.y = centred(sheet, column.y - 16, company, sheet.look.text(0.95), "Page-header", column.width) + 4
    column.y = centred(sheet, column.y, title, sheet.look.head(1.6), "Title", column.width) + 8
    instruction = "Please print clearly. Complete all sections and return to the department named below."
    column.y = centred(sheet, column.y, instruction, sheet.look.italic(0.85), "Text", column.width) + 12


def _grid(column: Column, entries: list[tuple[str, str]], filler: _Filler, per_row: int) -> None:
    """Boxes with a small label in the corner."""
    sheet, look = column.sheet, column.sheet.look
    high, wide = 33.0, column.width / per_row
    with sheet.region("Table"):
        for number, (name, value) in enumerate(entries):
            x, y = column.x + (number % per_row) * wide, column.y + (number // per_row) * high
            sheet.rect((x, y, x + wide, y + high), thick=0.7)
            sheet.text(x + 4, y + 9.5, name, look.label(0.72))
            filler.fill(name, value, (x + 8, y + 26, wide - 14))
    column.y += -(-len(entries) // per_row) * high + 12


def _ruled(column: Column, entries: list[tuple[str, str]], filler: _Filler) -> None:
    """Label, then a line to write on; short ones share a row."""
    sheet, look = column.sheet, column.sheet.look
    per_row = sheet.rng.choice((1, 2))
    wide = column.width / per_row
    for start in range(0, len(entries), per_row):
        if column.room < 60:
            return
        column.y += 24
        for place, (name, value) in enumerate(entries[start : start + per_row]):
            x = column.x + place * wide
            with sheet.region("Text"):
                used = sheet.text(x, column.y, f"{name}:", look.text(0.95)) + 6
                sheet.rule(x + used, column.y + 2, x + wide - 10, column.y + 2, thick=0.5)
                filler.fill(name, value, (x + used + 6, column.y - 1, wide - used - 22))
    column.gap(14)


def _choices(column: Column, writer: Writer, filler: _Filler) -> None:
    """Questions with a row of tick boxes each."""
    sheet, look = column.sheet, column.sheet.look
    sets = (
        ("Yes", "No"),
        ("New", "Repair", "Replacement"),
        ("Low", "Normal", "Urgent"),
        ("Daily", "Weekly", "Monthly"),
    )
    wanted = writer.lines(grammar.QUESTIONS, writer.rng.randint(3, 5))
    for question in wanted:
        if column.room < 60:
            return
        if look.text(0.95).width(question) > 0.62 * column.width:
            continue  # it would run into its own boxes
        column.y += 20
        with sheet.region("Text"):
            sheet.text(column.x, column.y, question, look.text(0.95))
        options = writer.rng.choice(sets)
        chosen = writer.rng.randrange(len(options)) if filler.how != "empty" else -1
        x = column.x + 0.64 * column.width
        with sheet.region("Text"):
            for number, option in enumerate(options):
                tick_box(sheet, x, column.y + 1, 8, ticked=number == chosen)
                x += 12 + sheet.text(x + 12, column.y, option, look.text(0.85)) + 8
    column.gap(12)


def _sign_off(column: Column, writer: Writer, filler: _Filler) -> None:
    sheet, look = column.sheet, column.sheet.look
    if column.room < 46:
        return
    y = min(column.y + 40, column.bottom - 14)
    for x, name in ((column.x, "Signature"), (column.x + 0.55 * column.width, "Date")):
        if filler.how != "empty" and name == "Signature":
            with sheet.region("Picture"):
                signature(sheet, x + 10, y - 4, sheet.rng)
        sheet.rule(x, y, x + 0.4 * column.width, y, thick=0.6)
        with sheet.region("Text"):
            sheet.text(x, y + 11, name, look.label(0.78))


def _office_use(column: Column, writer: Writer) -> None:
    sheet, look = column.sheet, column.sheet.look
    if column.room < 120:
        return
    top = column.bottom - 44
    sheet.rect((column.x, top, column.x + column.width, column.bottom), fill=look.tint, edge=(0.2, 0.2, 0.2))
    with sheet.region("Text"):
        sheet.text(column.x + 6, top + 12, "FOR OFFICE USE ONLY", look.bold(0.8))
        sheet.text(
            column.x + 6,
            top + 32,
            "Received by ______________   No. ____________   Checked __________",
            look.text(0.85),
        )
    column.bottom = top - 10


def grid_form(sheet: Sheet, writer: Writer) -> None:
    """A grid of labelled boxes, then remarks and a signature."""
    column, rng = page_column(sheet), writer.rng
    filler = _Filler(sheet, writer)
    _title(sheet, writer, column)
    _office_use(column, writer)
    parts = ["Applicant", "Particulars", "Approval"]
    entries = _entries(writer)
    for number, name in enumerate(parts):
        chunk = entries[4 * number : 4 * number + 4]
        if column.room < 140:
            break
        column.heading(f"{number + 1}. {name}", sheet.look.bold(1.0), above=6)
        _grid(column, chunk, filler, rng.choice((2, 2, 4) if filler.how == "empty" else (2, 2)))
    if column.room > 150:
        _choices(column, writer, filler)
    _sign_off(column, writer, filler)
    if rng.random() < 0.3:
        stamp(sheet, sheet.width - 140, rng.uniform(70, 110), writer.date(), sheet.rng)
    page_number(sheet, writer.code("Form", 3), "Page 1 of 1", y=sheet.height - 34)


def line_form(sheet: Sheet, writer: Writer) -> None:
    """Labels with ruled lines, tick boxes, a declaration."""
    column, rng = page_column(sheet, top=72), writer.rng
    filler = _Filler(sheet, writer)
    _title(sheet, writer, column)
    entries = _entries(writer)
    _ruled(column, entries[: rng.randint(6, 10)], filler)
    if column.heading("Please mark one box in each line", sheet.look.bold(1.0)):
        _choices(column, writer, filler)
    if column.room > 130:
        column.heading("Remarks", sheet.look.bold(1.0))
        for _ in range(min(5, int((column.room - 100) / 20))):
            column.y += 20
            sheet.rule(column.x, column.y, column.x + column.width, column.y, thick=0.4)
        column.gap(12)
    declaration = "I declare that the statements above are complete and correct to the best of my knowledge."
    column.set(declaration, Setting(sheet.look.text(0.9)))
    _sign_off(column, writer, filler)
    page_number(sheet, "", writer.code("Rev", 2), y=sheet.height - 34)


def shaded_form(sheet: Sheet, writer: Writer) -> None:
    """Tinted fields under coloured bars, as web forms and tax forms are printed today."""
    look, rng = sheet.look, writer.rng
    filler = _Filler(sheet, writer)
    column = Column(sheet, 46, 50, sheet.width - 92, sheet.height - 60)
    logo(sheet, column.x, column.y - 6, 36, sheet.rng)
    with sheet.region("Title"):
        sheet.text(column.x + 50, column.y + 18, sheet.fact("form", rng.choice(_TITLES)), look.head(1.9))
    column.gap(48)
    entries = _entries(writer)
    for number, name in enumerate(("Your details", "Contact", "About your request")):
        if column.room < 150:
            break
        sheet.rect((column.x, column.y, column.x + column.width, column.y + 20), fill=look.accent, edge=None)
        with sheet.region("Section-header"):
            sheet.text(column.x + 8, column.y + 14, f"{chr(65 + number)}  {name}", look.bold(1.05).inked((1, 1, 1)))
        column.gap(28)
        for place, (label, value) in enumerate(entries[4 * number : 4 * number + 4]):
            x = column.x + (place % 2) * column.width / 2
            with sheet.region("Text"):
                sheet.text(x, column.y + 8, label, look.label(0.82))
                sheet.rect(
                    (x, column.y + 13, x + column.width / 2 - 12, column.y + 36),
                    fill=look.tint,
                    edge=(0.7, 0.7, 0.75),
                )
                filler.fill(label, value, (x + 7, column.y + 29, column.width / 2 - 24))
            column.y += 46 if place % 2 else 0
    _choices(column, writer, filler)
    _sign_off(column, writer, filler)
    page_number(sheet, "Return this form to the office named on the letter.", "1/1", y=sheet.height - 32)


PLAIN = (grid_form, line_form)
SHIFTED = (shaded_form, shaded_form, line_form)
