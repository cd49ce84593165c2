"""Texts as bytes, tables of texts, and files that hold them."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import BPE

from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.tables import table_rows_or_faults
from distildoc.schema.text_sources import count_texts, texts_from
from distildoc.schema.texts import (
    MAX_TEXT_BYTES,
    TextInput,
    bounded_tokenizer,
    read_tokenizer,
    text_page,
    texts_of,
)


def page(text: str) -> Page:
    return text_page(text, id="a#1", source="a.tsv", number=1)


@pytest.mark.parametrize("text", ["plain", "Übergrößenträger", "日本語", "a 😀 b", ""])
def test_a_text_comes_back_from_its_bytes(text: str) -> None:
    row = TextInput(64).of(page(text))
    assert row.dtype == np.uint8
    assert row.shape == (64,)
    assert texts_of(row[None]) == [text]


def test_a_text_is_cut_between_characters() -> None:
    assert texts_of(TextInput(5).of(page("ab日本"))[None]) == ["ab日"]
    assert texts_of(TextInput(4).of(page("ab日本"))[None]) == ["ab"]


def test_what_is_no_text_is_named() -> None:
    with pytest.raises(InputError, match=r"page 'p' has no text; drop `input\.text_bytes`"):
        TextInput(8).of(Page("p", "p.png", 1, lambda longest_px: Image.new("L", (8, 8))))
    with pytest.raises(InputError, match=r"'a#1' is a text and has no pixels; set `input\.text_bytes`"):
        page("a").image()


def test_a_tsv_has_no_quotes_and_a_csv_has(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('label\ttext\n0\t"so" it goes\n', encoding="utf-8")
    (tmp_path / "a.csv").write_text('label,text\n0,"one, ""two""\nthree"\n', encoding="utf-8-sig")
    assert list(table_rows_or_faults(tmp_path / "a.tsv", ("text", "label"))) == [(1, ('"so" it goes', "0"))]
    assert list(table_rows_or_faults(tmp_path / "a.csv", ("label", "text"))) == [(1, ("0", 'one, "two"\nthree'))]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no column 'text'; the file is empty"),
        (b"txt\tlabel\na\tb\n", "no column 'text'; closest: txt"),
        (b"text\tlabel\n", "a header and no row"),
        (b"text\tlabel\n\n\n", "a header and no row"),
        (b"text\tlabel\ttext\na\tb\tc\n", "2 columns are named 'text'"),
        (b"text\tlabel\n\xff\tc\n", "not UTF-8"),
    ],
)
def test_a_bad_table_is_told_in_a_line(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told) as caught:
        list(table_rows_or_faults(path, ("text", "label")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (b"a", r"bad\.tsv: line 2 has 1 values, the header names 2 columns"),
        (b"a\0b\tc", r"bad\.tsv: line 2 has a zero byte"),
        (b"a" * (MAX_TEXT_BYTES + 1) + b"\tc", r"bad\.tsv: line 2 has .* a value of more than"),
    ],
)
def test_what_is_wrong_with_a_row_comes_in_its_place(tmp_path: Path, row: bytes, told: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_bytes(b"text\tlabel\n" + row + b"\nfine\t0\n")
    (first, fault), second = table_rows_or_faults(path, ("text", "label"))
    assert first == 1
    assert isinstance(fault, InputError) and re.search(told, str(fault))
    assert "\n" not in str(fault)
    assert second == (2, ("fine", "0"))


def test_quotes_that_do_not_close_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text\n"open\n')
    with pytest.raises(InputError, match=r"a\.csv: line 2: .*mend the row, or its quotes"):
        list(table_rows_or_faults(tmp_path / "a.csv", ("text",)))


def test_a_bad_row_fails_alone_where_texts_are_only_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nfirst,0\nsecond\nthird,1\n")
    first, second, third = texts_from([tmp_path / "a.csv"])
    assert isinstance(first, Page) and isinstance(third, Page) and third.id == "a.csv#3"
    assert isinstance(second, FailedPage)
    assert second.reason.endswith("a.csv: line 3 has 1 values, the header names 2 columns")
    assert count_texts([tmp_path / "a.csv"]) == 3


def test_texts_of_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.txt").write_text("of a file\n", encoding="utf-8")
    (tmp_path / "in" / "c.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "a.csv").write_text("text\nfirst\n  \nsecond\n")
    paths = [tmp_path / "in", tmp_path / "a.csv"]
    found = list(texts_from(paths))
    assert count_texts(paths) == len(found) == 5
    assert [one.text for one in found if isinstance(one, Page)] == ["of a file\n", "first", "second"]
    assert [one.id for one in found] == ["b.txt", "c.txt", "a.csv#1", "a.csv#2", "a.csv#3"]
    failed = [one.reason for one in found if isinstance(one, FailedPage)]
    assert "c.txt" in failed[0]
    assert failed[1] == "a.csv#2: no text there"


@pytest.mark.parametrize(
    ("path", "told"),
    [("gone.txt", "no file or folder"), ("a.pdf", "cannot read texts from"), ("empty", "holds no texts")],
)
def test_paths_without_texts_are_told(tmp_path: Path, path: str, told: str) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=told):
        list(texts_from([tmp_path / path]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda one: one.enable_padding(length=5_000_000), "must fill up to the longest text"),
        (lambda one: one.enable_padding(pad_to_multiple_of=4096), "must fill up to the longest text"),
        (lambda one: one.no_truncation(), "must cut texts to at most 8192 tokens"),
        (lambda one: one.enable_truncation(1_000_000), "must cut texts to at most 8192 tokens"),
    ],
)
def test_a_tokenizer_that_makes_much_of_little_is_refused(change: Callable[[Tokenizer], None], told: str) -> None:
    tokenizer = Tokenizer(BPE())
    tokenizer.enable_truncation(8)
    bounded_tokenizer(tokenizer.to_str(), "here")
    change(tokenizer)
    with pytest.raises(InputError, match=told):
        bounded_tokenizer(tokenizer.to_str(), "here")


def test_a_tokenizer_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"tokenizer\.json: not UTF-8"):
        read_tokenizer(tmp_path / "tokenizer.json")


def test_a_long_value_is_read_and_a_longer_one_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n" + "a" * 200_000 + "\n")
    assert len(next(table_rows_or_faults(tmp_path / "a.csv", ("text",)))[1][0]) == 200_000
