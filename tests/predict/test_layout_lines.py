import pytest

from distildoc.predict.lines import Line, blocks_of, lines_of, paragraph, table_text
from distildoc.schema.words import Word


def word(text, left, top, *, width=0.01, height=0.01):
    return Word(text, (left, top, left + width * len(text), top + height))


def test_words_of_a_line_stand_from_left_to_right_and_lines_from_top_to_bottom():
    words = [word("world", 0.3, 0.101), word("below", 0.1, 0.12), word("Hello", 0.1, 0.1)]
    assert [line.text for line in lines_of(words)] == ["Hello world", "below"]


def test_a_superscript_stays_in_its_line():
    words = [word("E", 0.1, 0.1), word("=mc", 0.12, 0.1), word("2", 0.16, 0.097, height=0.006)]
    assert [line.text for line in lines_of(words)] == ["E =mc 2"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["inter\u00ad", "national"], "international"),
        (["Marie\u00ad", "Curie"], "Marie-Curie"),
        (["plain", "text"], "plain text"),
        (["recog-", "nised"], "recognised"),  # as OCR gives it
        (["1990 -", "2000"], "1990 - 2000"),
        (["ends\u00ad"], "ends-"),
    ],
)
def test_a_word_broken_at_a_line_end_is_whole_again(words, text):
    lines = [Line((word(each, 0.1, 0.1 * place),)) for place, each in enumerate(words)]
    assert paragraph(lines) == text


def test_columns_of_a_table_stand_below_each_other():
    rows = [[("Year", 0.1), ("Sum", 0.4)], [("1994", 0.1), ("12,5", 0.4)], [("1995", 0.1), ("7", 0.4)]]
    lines = [Line(tuple(word(text, left, 0.1 * place) for text, left in row)) for place, row in enumerate(rows)]
    first, second, third = table_text(lines).split("\n")
    assert first.index("Sum") == second.index("12,5") == third.index("7") == 30
    assert second.startswith("1994 ")


def test_words_of_a_table_are_never_glued_together():
    line = Line((word("wide", 0.1, 0.1, width=0.02), word("next", 0.1801, 0.1, width=0.005)))
    assert table_text([line]).split() == ["wide", "next"]


def test_text_without_a_region_is_parted_at_empty_lines_and_between_columns():
    words = [word("left", 0.1, 0.1), word("more", 0.1, 0.112), word("right", 0.6, 0.1), word("far", 0.1, 0.3)]
    assert [[line.text for line in block] for block in blocks_of(words)] == [["left", "more"], ["right"], ["far"]]


def test_nothing_has_no_lines():
    assert (lines_of([]), blocks_of([]), table_text([]), paragraph([])) == ([], [], "", "")
