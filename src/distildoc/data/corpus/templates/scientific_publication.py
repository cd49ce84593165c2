"""Scientific publications: title, authors, abstract, two columns with formulas, figures, notes, references."""

from collections.abc import Iterator

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting
from distildoc.data.corpus.formulas import formula
from distildoc.data.corpus.marks import page_number, running_head
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.tables import TableStyle, draw_table
from distildoc.data.corpus.templates.blocks import centred, figure
from distildoc.data.corpus.writer import Writer

_SECTIONS = ("Introduction", "Materials and methods", "Results", "Discussion", "Conclusions", "Related work")


def _journal(writer: Writer) -> str:
    return f"{writer.rng.choice(('Journal of', 'Annals of', 'Advances in'))} {writer.domain.name.title()}"


def _authors(sheet: Sheet, writer: Writer) -> str:
    people = [writer.stranger() for _ in range(writer.rng.randint(1, 4))]
    sheet.fact("first author", people[0])
    return ", ".join(people)


def reference(writer: Writer, number: int) -> str:
    """A bibliography entry with invented authors."""
    rng = writer.rng
    last = writer.stranger().split()[-1]
    first = rng.randint(1, 800)
    where = f"{_journal(writer)} {rng.randint(1, 60)} ({writer.year - rng.randint(1, 25)})"
    author = f"{last}, {rng.choice('ABCDEFGHJKLM')}."
    return f"[{number}] {author}: {writer.line(grammar.TITLES)}. {where} {first}-{first + rng.randint(3, 20)}."


class _Flow:
    """Pours the parts of a paper through columns, each part drawn where the last one ended."""

    def __init__(self, writer: Writer, columns: list[Column], align: str) -> None:
        self.writer = writer
        self.columns: Iterator[Column] = iter(columns)
        self.column = next(self.columns)
        self.align = align
        self.figures = self.tables = self.formulas = 0
        self.full = False

    def next_column(self) -> bool:
        """Go on in the next column; say whether there was one."""
        following = next(self.columns, None)
        self.full = following is None
        self.column = following or self.column
        return not self.full

    def section(self, number: int, name: str) -> None:
        """A heading and its paragraphs, with a formula, a figure or a table between some of them."""
        look = self.column.sheet.look
        heading, font = f"{number}. {name}", look.bold(1.08)
        placed = self.column.heading(heading, font) or (self.next_column() and self.column.heading(heading, font))
        if not placed:
            return
        for _ in range(self.writer.rng.randint(2, 3)):
            self._paragraph()
            if self.full:
                return
            self._insert()

    def _paragraph(self) -> None:
        setting = Setting(self.column.sheet.look.text(), 1.18, self.align, indent=10)
        rest = self.writer.paragraph(grammar.REPORT, 3, 6)
        while rest and not self.full:
            if self.column.room > 2 * setting.font.size * setting.leading:
                rest = self.column.set(rest, setting)
            if rest:
                self.next_column()

    def _insert(self) -> None:
        chance, rng = self.writer.rng.random(), self.writer.rng
        if chance < 0.3:
            self.column.gap(2)
            self.formulas += formula(self.column, self.formulas + 1, rng)
        elif chance < 0.6:
            self.column.gap(8)
            self.figures += figure(
                self.column, self.writer, self.figures + 1, rng.uniform(100, 150), photo=rng.random() < 0.3
            )
        elif chance < 0.75 and self.column.room > 130:
            self.column.gap(8)
            self._table()

    def _table(self) -> None:
        self.tables += 1
        look, writer = self.column.sheet.look, self.writer
        lead = (f"Table {self.tables}.", look.bold(0.86))
        self.column.set(
            writer.fill("{Measure} with {material} at {place}."),
            Setting(look.text(0.86), 1.15, lead=lead),
            "Caption",
        )
        self.column.gap(3)
        rows = [["Sample", "n", "Mean", "SD"]]
        for material in writer.rng.sample(writer.domain.materials, writer.rng.randint(3, 5)):
            rows.append(
                [
                    material,
                    str(writer.rng.randint(4, 60)),
                    f"{writer.rng.uniform(1, 90):.1f}",
                    f"{writer.rng.uniform(0.1, 9):.2f}",
                ]
            )
        draw_table(
            self.column,
            rows,
            (2.4, 0.8, 1, 1),
            TableStyle(look.text(0.86), look.bold(0.86), "lrrr", "rules", look.tint, 2.5),
        )
        self.column.gap(8)

    def references(self) -> None:
        """As many entries as fit."""
        look = self.column.sheet.look
        if self.full or not self.column.heading("References", look.bold(1.08)):
            return
        for number in range(1, 30):
            entry = reference(self.writer, number)
            if self.column.room < 3 * look.size and not self.next_column():
                return
            self.column.set(entry, Setting(look.text(0.84), 1.16, self.align), "List-item")
            self.column.gap(1.5)


def _fill(flow: _Flow, names: list[str], first: int) -> None:
    for number, name in enumerate(names, start=first):
        flow.section(number, name)
        if flow.full:
            return
    flow.references()


def _footnote(sheet: Sheet, writer: Writer, x: float, bottom: float, width: float) -> float:
    """A footnote above `bottom` under a short rule; returns the y at which the column must now end."""
    column = Column(sheet, x, bottom - 26, width, bottom)
    sheet.rule(x, bottom - 30, x + 60, bottom - 30, thick=0.5)
    name = writer.cast[0]
    column.set(
        f"* Corresponding author. E-mail: {writer.email(name)}",
        Setting(sheet.look.text(0.78), 1.15),
        "Footnote",
    )
    return bottom - 38


def _halves(sheet: Sheet, x: float, y: float, width: float, bottom: float) -> list[Column]:
    half = (width - 20) / 2
    return [Column(sheet, x, y, half, bottom), Column(sheet, x + half + 20, y, half, bottom)]


def first_page(sheet: Sheet, writer: Writer) -> None:
    """The first page of a two-column article."""
    rng, look, x = writer.rng, sheet.look, sheet.rng.uniform(46, 62)
    width, bottom = sheet.width - 2 * x, sheet.height - 58
    running_head(sheet, _journal(writer), f"Vol. {rng.randint(1, 60)} ({writer.year})", ruled=rng.random() < 0.6)
    y = (
        centred(
            sheet,
            62,
            sheet.fact("title", writer.line(grammar.TITLES)),
            look.head(1.65),
            "Title",
            0.85 * width,
        )
        + 8
    )
    y = centred(sheet, y, _authors(sheet, writer), look.text(1.05), "Text", 0.9 * width)
    y = centred(sheet, y, f"{writer.department()}, {writer.company()}", look.italic(0.92), "Text", width) + 12
    abstract = Column(sheet, x + 36, y, width - 72, bottom)
    lead = ("Abstract.", look.bold(0.94))
    abstract.set(writer.paragraph(grammar.REPORT, 4, 7), Setting(look.text(0.94), 1.18, "justify", lead=lead))
    columns = _halves(sheet, x, abstract.y + 12, width, bottom)
    columns[0].bottom = _footnote(sheet, writer, x, bottom, columns[0].width)
    _fill(_Flow(writer, columns, "justify"), list(_SECTIONS[:4]), 1)
    page_number(sheet, "", str(rng.randint(101, 899)), y=sheet.height - 34)


def inner_page(sheet: Sheet, writer: Writer) -> None:
    """A later page: columns from top to bottom, a wide figure on some."""
    rng, x = writer.rng, sheet.rng.uniform(46, 62)
    width, bottom = sheet.width - 2 * x, sheet.height - 54
    number = str(rng.randint(101, 899))
    running_head(
        sheet,
        number,
        f"{writer.stranger().split()[-1]} et al. / {_journal(writer)}",
        ruled=rng.random() < 0.5,
    )
    y, shown = 58.0, 0
    if rng.random() < 0.5:
        wide = Column(sheet, x, y, width, bottom)
        shown = int(figure(wide, writer, 1, rng.uniform(150, 210)))
        y = wide.y + 4
    flow = _Flow(writer, _halves(sheet, x, y, width, bottom), "justify")
    flow.figures = shown
    _fill(flow, rng.sample(_SECTIONS[1:], 4), rng.randint(2, 4))
    page_number(sheet, "", number, y=sheet.height - 32)


def preprint(sheet: Sheet, writer: Writer) -> None:
    """A one-column preprint with a tinted abstract and coloured headings."""
    look, x = sheet.look, 84.0
    width, bottom = sheet.width - 2 * x, sheet.height - 66
    column = Column(sheet, x, 64, width, bottom)
    column.set(sheet.fact("title", writer.line(grammar.TITLES)), Setting(look.head(2.0)), "Title")
    column.gap(8)
    column.set(_authors(sheet, writer), Setting(look.text(1.05)))
    column.set(sheet.fact("date", writer.date()), Setting(look.italic(0.92)))
    column.gap(14)
    top = column.y
    inner = column.inset(14, 14)
    text = writer.paragraph(grammar.REPORT, 4, 6)
    lines = 1 + sum(1 for _ in range(0, len(text), int(width / (0.5 * look.size))))
    sheet.rect((x, top, x + width, top + (lines + 1.6) * look.size * 1.3), fill=look.tint, edge=None)
    inner.gap(8)
    inner.set(text, Setting(look.text(0.96), 1.3, "left", lead=("Abstract", look.bold(0.96))))
    column.y = max(inner.y + 10, top + (lines + 1.6) * look.size * 1.3) + 6
    column.bottom = _footnote(sheet, writer, x, bottom, width)
    _fill(_Flow(writer, [column], "left"), list(_SECTIONS[:3]), 1)
    page_number(sheet, "Preprint", "1", y=sheet.height - 40)


def three_column_paper(sheet: Sheet, writer: Writer) -> None:
    """A magazine-like research page: coloured head line, wide figure, three narrow columns."""
    look, x = sheet.look, 44.0
    width, bottom = sheet.width - 2 * x, sheet.height - 54
    sheet.rect((x, 34, x + width, 40), fill=look.accent, edge=None)
    column = Column(sheet, x, 50, width, bottom)
    column.set(sheet.fact("title", writer.line(grammar.TITLES)), Setting(look.head(1.8)), "Title")
    column.set(_authors(sheet, writer), Setting(look.text()))
    column.gap(10)
    shown = int(figure(column, writer, 1, 150))
    third = (width - 32) / 3
    flow = _Flow(writer, [Column(sheet, x + k * (third + 16), column.y, third, bottom) for k in range(3)], "left")
    flow.figures = shown
    _fill(flow, list(_SECTIONS), 1)
    page_number(sheet, _journal(writer), str(writer.rng.randint(2, 90)), y=sheet.height - 32)


PLAIN = (first_page, inner_page)
SHIFTED = (preprint, three_column_paper)
