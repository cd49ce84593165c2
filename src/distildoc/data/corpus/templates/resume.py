"""Resumes: sections of posts and studies with dates, classic or with a coloured side column."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.marks import page_number
from distildoc.data.corpus.pictures import portrait
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.templates.blocks import centred, lines_of_text, page_column, paragraphs
from distildoc.data.corpus.vocabulary import TOWNS
from distildoc.data.corpus.writer import Writer

_DEGREES = ("B.Sc.", "M.Sc.", "Ph.D.", "Diploma", "B.A.")
_SKILLS = ("Project planning", "Report writing", "Statistics", "Public speaking", "Laboratory safety",
           "Team leadership", "Spreadsheet models", "Procurement", "Auditing", "Technical drawing")  # fmt: skip


def _person(sheet: Sheet, writer: Writer) -> tuple[str, list[str]]:
    name = sheet.fact("name", writer.cast[0])
    street, town = writer.address()
    return name, [
        street,
        town,
        sheet.fact("telephone", writer.phone()),
        sheet.fact("e-mail", writer.email(name)),
    ]


def _years(writer: Writer, number: int) -> str:
    end = writer.year - 3 * number - writer.rng.randint(0, 1)
    return f"{end - writer.rng.randint(1, 3)} - {'present' if number == 0 else end}"


def _posts(column: Column, writer: Writer, count: int, dates_left: bool) -> None:
    sheet, look = column.sheet, column.sheet.look
    for number in range(count):
        if column.room < 90:
            return
        years, role, company = _years(writer, number), writer.role(), writer.company()
        if number == 0:
            sheet.facts.update({"current position": role, "current employer": company})
        body = column.inset(96) if dates_left else column
        with sheet.region("Text"):
            base = column.y + look.size
            if dates_left:
                sheet.text(column.x, base, years, look.text())
            sheet.text(body.x, base, role, look.bold())
            if not dates_left:
                sheet.text(column.x + column.width, base, years, look.text(), align="right")
            sheet.text(body.x, base + look.size * 1.22, f"{company}, {writer.rng.choice(TOWNS)}", look.italic())
        body.y = base + look.size * 1.6
        tasks = [f"{text}." for text in writer.lines(grammar.SHORT, writer.rng.randint(2, 4))]
        body.items(tasks, Setting(look.text(0.97)), bullet=writer.rng.choice(("disc", "-")))
        column.y = body.y + 7


def _studies(column: Column, writer: Writer, dates_left: bool) -> None:
    sheet, look = column.sheet, column.sheet.look
    for number in range(writer.rng.randint(1, 3)):
        if column.room < 40:
            return
        year = str(writer.year - 12 - 3 * number)
        degree = f"{writer.rng.choice(_DEGREES)} in {writer.domain.name}"
        if number == 0:
            sheet.fact("degree", degree)
        with sheet.region("Text"):
            x = column.x + 96 if dates_left else column.x
            sheet.text(column.x if dates_left else column.x + column.width, column.y + look.size, year, look.text(),
                       align="left" if dates_left else "right")  # fmt: skip
            sheet.text(x, column.y + look.size, degree, look.bold())
            sheet.text(x, column.y + look.size * 2.25, f"{writer.rng.choice(TOWNS)} Technical College", look.text())
        column.gap(look.size * 3)


def _section(column: Column, title: str, upper: bool, ruled: bool) -> bool:
    sheet = column.sheet
    if not column.heading(title.upper() if upper else title, sheet.look.head(1.08), above=11):
        return False
    if ruled:
        sheet.rule(column.x, column.y, column.x + column.width, column.y, thick=0.7, ink=sheet.look.accent)
    column.gap(4)
    return True


def classic_resume(sheet: Sheet, writer: Writer) -> None:
    """Name in the middle, sections under ruled headings."""
    column, rng = page_column(sheet, top=58), writer.rng
    name, contact = _person(sheet, writer)
    upper, ruled, dates_left = rng.random() < 0.5, rng.random() < 0.6, rng.random() < 0.5
    column.y = centred(sheet, column.y, name, sheet.look.head(1.8), "Title", column.width) + 2
    column.y = centred(sheet, column.y, "  |  ".join(contact[:2]), sheet.look.text(0.92), "Text", column.width)
    column.y = centred(sheet, column.y, "  |  ".join(contact[2:]), sheet.look.text(0.92), "Text", column.width)
    if rng.random() < 0.6 and _section(column, "Objective", upper, ruled):
        paragraphs(
            column,
            [f"A position in {writer.domain.name} with responsibility for {rng.choice(writer.domain.tasks)}."],
            Setting(sheet.look.text()),
        )
    if _section(column, "Experience", upper, ruled):
        _posts(column, writer, rng.randint(2, 4), dates_left)
    if _section(column, "Education", upper, ruled):
        _studies(column, writer, dates_left)
    if _section(column, "Skills", upper, ruled):
        paragraphs(column, [", ".join(rng.sample(_SKILLS, 6)) + "."], Setting(sheet.look.text()))
    if _section(column, "References", upper, ruled):
        paragraphs(column, ["Available on request."], Setting(sheet.look.text()))


def academic_resume(sheet: Sheet, writer: Writer) -> None:
    """A curriculum vitae with numbered publications."""
    column, rng = page_column(sheet, top=62), writer.rng
    with sheet.region("Title"):
        sheet.text(column.x, column.y, "CURRICULUM VITAE", sheet.look.head(1.4))
    column.gap(18)
    name, contact = _person(sheet, writer)
    lines_of_text(column, [name, *contact], sheet.look.text())
    if _section(column, "Education", True, False):
        _studies(column, writer, True)
    if _section(column, "Professional experience", True, False):
        _posts(column, writer, rng.randint(2, 3), True)
    if _section(column, "Publications", True, True):
        own = name.split()[-1]
        papers = [
            f"{own}, {name[0]}. and {writer.stranger()}: {writer.line(grammar.TITLES)}. {writer.year - k}."
            for k in range(rng.randint(4, 9))
        ]
        column.items(papers, Setting(sheet.look.text(0.95)), bullet="1", indent=20)
    page_number(sheet, "", "1", y=sheet.height - 36)


def column_resume(sheet: Sheet, writer: Writer) -> None:
    """A coloured side column with a portrait, contact and skill bars."""
    look, rng = sheet.look, writer.rng
    wide = rng.uniform(160, 190)
    white = (1.0, 1.0, 1.0)
    sheet.rect((0, 0, wide, sheet.height), fill=look.accent, edge=None)
    size = wide - 72
    with sheet.region("Picture"):
        sheet.image(portrait(130, 150, sheet.rng, colour=True), (36, 40, 36 + size, 40 + 1.15 * size))
    name, contact = _person(sheet, writer)
    side = Column(sheet, 24, 64 + 1.15 * size, wide - 40, sheet.height - 40)
    side.set("Contact", Setting(look.bold(1.1).inked(white)), "Section-header")
    lines_of_text(side, contact, look.text(0.86).inked(white), leading=1.5)
    side.gap(18)
    side.set("Skills", Setting(look.bold(1.1).inked(white)), "Section-header")
    for skill in rng.sample(_SKILLS, 5):
        lines_of_text(side, [skill], look.text(0.86).inked(white), "List-item", 1.5)
        sheet.rect((side.x, side.y + 2, side.x + side.width, side.y + 5), fill=look.tint, edge=None)
        sheet.rect(
            (side.x, side.y + 2, side.x + side.width * rng.uniform(0.4, 0.95), side.y + 5),
            fill=(0.2, 0.2, 0.25),
            edge=None,
        )
        side.gap(9)
    column = Column(sheet, wide + 28, 46, sheet.width - wide - 66, sheet.height - 44)
    column.set(name, Setting(look.head(2.4)), "Title")
    column.set(writer.role(), Setting(look.text(1.15)), "Text")
    column.gap(8)
    paragraphs(column, [writer.paragraph(grammar.REPORT, 2, 3)], Setting(look.text(), 1.35))
    if _section(column, "Experience", False, True):
        _posts(column, writer, rng.randint(2, 3), False)
    if _section(column, "Education", False, True):
        _studies(column, writer, False)


PLAIN = (classic_resume, classic_resume, academic_resume)
SHIFTED = (column_resume, column_resume, classic_resume)
