"""Questionnaires: numbered questions with tick boxes, rating scales and lines for answers."""

from distildoc.data.corpus import grammar
from distildoc.data.corpus.flow import Column, Setting, break_lines
from distildoc.data.corpus.hand import new_hand
from distildoc.data.corpus.marks import page_number, running_head, tick_box
from distildoc.data.corpus.sheet import Sheet
from distildoc.data.corpus.tables import TableStyle, draw_table
from distildoc.data.corpus.templates.blocks import page_column
from distildoc.data.corpus.writer import Writer

# the answers that fit a question, by its first words; questions that fit none get lines to write on
_OPTIONS = {
    "How often": ("Every day", "Once a week", "Once a month", "Less often", "Never"),
    "How many": ("Under 2", "2 to 5", "6 to 10", "More than 10"),
    "How satisfied": ("Very satisfied", "Satisfied", "Neither", "Dissatisfied", "Don't know"),
    "How important": ("Very important", "Fairly important", "Not important"),
    "How well": ("Very well", "Well", "Badly", "Not at all"),
    "Would": ("Yes", "No", "Perhaps"),
    "Have": ("Yes", "No", "Not sure"),
    "Did": ("Yes", "Partly", "No"),
}
_RATED = ("How satisfied", "How important", "How well")  # these may be asked on a scale of numbers, too


def _question(column: Column, number: int, text: str) -> bool:
    """Set the question itself; say whether there was room for it and its answers."""
    look = column.sheet.look
    if column.room < 95:
        return False
    column.gap(9)
    with column.sheet.region("List-item"):
        column.sheet.text(column.x, column.y + look.size, f"{number}.", look.bold())
        inner = column.inset(20)
        inner.set(text, Setting(look.bold()), None)
    column.y = inner.y + 3
    return True


def _answer_boxes(column: Column, options: tuple[str, ...], chosen: int, stacked: bool) -> None:
    sheet, look = column.sheet, column.sheet.look
    x = column.x + 22
    with sheet.region("Text"):
        column.y += 14
        for number, option in enumerate(options):
            needed = 12 + look.text(0.95).width(option)
            if number and (stacked or x + needed > column.x + column.width):
                x, column.y = column.x + 22, column.y + 14.5
            tick_box(sheet, x, column.y + 1, 8, ticked=number == chosen)
            sheet.text(x + 13, column.y, option, look.text(0.95))
            x += needed + 18
        column.y += 5


def _answer_lines(column: Column, writer: Writer, answered: bool) -> None:
    sheet = column.sheet
    hand = new_hand(sheet, 13, (0.12, 0.12, 0.35), sheet.rng)
    count = writer.rng.randint(1, 3)
    answer = break_lines(writer.line(grammar.SHORT), sheet.look.text(1.35), column.width - 60) if answered else []
    with sheet.region("Text"):
        for number in range(count):
            column.y += 20
            sheet.rule(column.x + 22, column.y, column.x + column.width, column.y, thick=0.4)
            if number < len(answer):
                hand.write(column.x + 30, column.y - 3, answer[number], wobble=0.8)
    column.gap(4)


def _answer_scale(column: Column, writer: Writer, answered: bool) -> None:
    sheet, look = column.sheet, column.sheet.look
    steps = writer.rng.choice((5, 7, 10))
    chosen = writer.rng.randrange(steps) if answered else -1
    with sheet.region("Text"):
        column.y += 18
        x = column.x + 22
        x += sheet.text(x, column.y, "Not at all", look.italic(0.85)) + 14
        for step in range(steps):
            sheet.text(x, column.y, str(step + 1), look.text(0.95), align="center")
            if step == chosen:
                sheet.oval((x - 8, column.y - 11, x + 8, column.y + 4), edge=(0.1, 0.12, 0.4), thick=1.2)
            x += 22
        sheet.text(x, column.y, "Very much", look.italic(0.85))
        column.y += 6


def _questions(column: Column, writer: Writer, start: int, *, stacked: bool) -> int:
    """Fill the column with questions; return the next number."""
    number, answered = start, writer.rng.random() < 0.6
    for text in writer.lines(grammar.QUESTIONS, 14):
        if not _question(column, number, text):
            break
        options = next((answers for start, answers in _OPTIONS.items() if text.startswith(start)), ())
        if not options:
            _answer_lines(column, writer, answered)
        elif text.startswith(_RATED) and column.width > 300 and writer.rng.random() < 0.4:
            _answer_scale(column, writer, answered)
        else:
            _answer_boxes(column, options, writer.rng.randrange(len(options)) if answered else -1, stacked)
        number += 1
    return number


def _intro(sheet: Sheet, writer: Writer, column: Column) -> None:
    title = sheet.fact(
        "title", f"{writer.rng.choice(('Survey', 'Questionnaire', 'Opinion survey'))}: {writer.domain.name}"
    )
    column.set(title, Setting(sheet.look.head(1.55), align=writer.rng.choice(("left", "center"))), "Title")
    column.gap(6)
    text = (
        f"{sheet.fact('company', writer.company())} would like to know what you think about {writer.domain.name}. "
        "Your answers are confidential. Mark one box for each question unless told otherwise."
    )
    column.set(text, Setting(sheet.look.text(0.95), align="justify"))
    column.gap(6)


def mailed_survey(sheet: Sheet, writer: Writer) -> None:
    """One column of questions under an introduction."""
    column = page_column(sheet, top=62)
    running_head(sheet, writer.code("Q", 4), sheet.fact("date", writer.date()), ruled=False)
    _intro(sheet, writer, column)
    count = _questions(column, writer, 1, stacked=writer.rng.random() < 0.4)
    sheet.fact("number of questions", str(count - 1))
    page_number(sheet, "", "Please turn over", y=sheet.height - 36)


def two_column_survey(sheet: Sheet, writer: Writer) -> None:
    """Questions in two columns with a rule between them."""
    column = page_column(sheet, top=58)
    _intro(sheet, writer, column)
    middle = column.x + column.width / 2
    sheet.rule(middle, column.y + 6, middle, column.bottom, thick=0.5)
    half = column.width / 2 - 12
    left = Column(sheet, column.x, column.y, half, column.bottom)
    number = _questions(left, writer, 1, stacked=True)
    right = Column(sheet, middle + 12, column.y, half, column.bottom)
    count = _questions(right, writer, number, stacked=True)
    sheet.fact("number of questions", str(count - 1))
    page_number(sheet, "Thank you for taking part.", "2", y=sheet.height - 36)


def rating_survey(sheet: Sheet, writer: Writer) -> None:
    """A striped matrix of statements and circles, then open questions."""
    look = sheet.look
    column = Column(sheet, 48, 52, sheet.width - 96, sheet.height - 64)
    _intro(sheet, writer, column)
    heads = ["Statement", "Never", "Rarely", "Often", "Always"]
    statements = [text.rstrip(".") for text in writer.lines(grammar.BUSINESS[2:], writer.rng.randint(5, 8))]
    rows = [heads, *([text, "o", "o", "o", "o"] for text in statements)]
    style = TableStyle(look.text(0.95), look.bold(0.95), "lcccc", "stripes", look.tint, 6)
    top = column.y
    draw_table(column, rows, (5, 1, 1, 1, 1), style)
    if column.y > top:
        column.gap(6)
    count = _questions(column, writer, 1, stacked=False)
    sheet.fact("number of questions", str(count - 1))
    page_number(sheet, "example.org/survey", "Page 1", y=sheet.height - 38)


PLAIN = (mailed_survey, mailed_survey, two_column_survey)
SHIFTED = (rating_survey, rating_survey, two_column_survey)
