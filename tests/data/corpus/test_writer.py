"""Generated text: no unfilled slots, no broken articles, amounts in the usual spelling."""

import contextlib
import random
from datetime import datetime

import pytest

pytest.importorskip("reportlab")

from distildoc.data.corpus import grammar
from distildoc.data.corpus.strokes import GLYPHS, strokes_of
from distildoc.data.corpus.writer import Writer, money

_LISTS = [value for name, value in vars(grammar).items() if name.isupper() and isinstance(value, tuple)]


def test_every_pattern_can_be_filled() -> None:
    assert len(_LISTS) >= 9
    for seed in range(5):
        writer = Writer(random.Random(seed))
        for patterns in _LISTS:
            for pattern in patterns:
                text = writer.fill(pattern)
                assert "{" not in text and "}" not in text and "  " not in text


def test_articles_fit_the_next_word() -> None:
    writer = Writer(random.Random(1))
    texts = " ".join(writer.paragraph(grammar.REPORT, 6, 6) for _ in range(40)).lower()
    assert " a older" not in texts and " a improved" not in texts and " a annual" not in texts


def test_same_stream_writes_the_same_text() -> None:
    first, second = Writer(random.Random(7)), Writer(random.Random(7))
    assert first.paragraph(grammar.BUSINESS) == second.paragraph(grammar.BUSINESS)


def test_amounts_have_thousands_and_cents() -> None:
    assert money(123456789, "$") == "$1,234,567.89"
    assert money(5) == "0.05"


def test_every_letter_of_a_pen_has_strokes_on_the_grid() -> None:
    assert len(GLYPHS) > 75
    for letter in GLYPHS:
        points = [point for stroke in strokes_of(letter) for point in stroke]
        assert points and all(0 <= x <= 8 and -3 <= y <= 8 for x, y in points), letter


def test_due_dates_follow_by_the_days_given_and_are_spelled_alike() -> None:
    for seed in range(20):
        issued, due = Writer(random.Random(seed)).date_and_due(30)
        days = []
        for form in ("%B %d, %Y", "%d %B %Y", "%m/%d/%Y", "%b %d, %Y"):
            with contextlib.suppress(ValueError):
                days.append((datetime.strptime(due, form) - datetime.strptime(issued, form)).days)
        assert days and set(days) == {30}, (issued, due)
