"""Texts with classes in a table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from distildoc.data.imperfect import imbalanced, with_wrong_labels
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet, check_pages, hold_out, of_classes, per_class
from distildoc.data.readers.table import read
from distildoc.schema.errors import InputError
from distildoc.schema.texts import TextInput, texts_of

NAMES = {"0": "negative", "1": "positive"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "train.tsv"
    rows = [f"{i % 2}\tphrase nº {i}" for i in range(20)]
    path.write_text("label\tsentence\n" + "\n".join([*rows, "1\t "]) + "\n", encoding="utf-8")
    return path


def test_rows_become_texts_of_named_classes(table: Path) -> None:
    pages = read(path=table, text="sentence", names=NAMES)
    assert pages.labels == ("negative", "positive")
    assert pages.counts() == {"negative": 10, "positive": 10}
    assert pages.pages[3].text == "phrase nº 3"
    assert (pages.pages[3].id, pages.pages[3].label) == ("train.tsv#4", "positive")
    assert pages.repairs == (f"{table}: 1 rows without text left out, first row 21",)
    assert check_pages(pages, skip_bad=False) == (pages, [])


def test_texts_of_one_file_are_set_aside_one_by_one(table: Path) -> None:
    rest, held = hold_out(read(path=table, text="sentence", names=NAMES), fraction=0.2, seed=0)
    assert (len(rest), held.counts()) == (16, {"negative": 2, "positive": 2})
    assert len(per_class(rest, 3, seed=0)) == 6


def test_without_a_label_column_there_are_no_classes(table: Path) -> None:
    pages = read(path=table, text="sentence", label=None)
    assert pages.labels == ()
    assert {page.label for page in pages.pages} == {None}


def test_a_class_without_a_name_is_told(table: Path) -> None:
    with pytest.raises(InputError, match="row 2 has the class '1', `names` knows 0"):
        read(path=table, text="sentence", names={"0": "negative"})


def test_bad_rows_wait_until_they_are_counted(table: Path) -> None:
    with table.open("a", encoding="utf-8") as file:
        file.write("one value\n \tno class\n0\ta zero \0 byte\n1\tlast\n")
    pages = read(path=table, text="sentence", names=NAMES)
    assert (len(pages), pages.pages[-1].text) == (24, "last")
    told = r"train\.tsv: 3 of 24 cannot be read, first .*line 23 has 1 values, .* names 2 columns; mend them"
    with pytest.raises(InputError, match=told):
        check_pages(pages, skip_bad=False)
    kept, failed = check_pages(pages, skip_bad=True)
    assert len(kept) == 21
    assert [one.id for one in failed] == ["train.tsv#22", "train.tsv#23", "train.tsv#24"]
    assert "row 23 has no class" in failed[1].reason and "zero byte" in failed[2].reason
    rest, held = hold_out(pages, fraction=0.2, seed=0)
    assert (len(rest), held.counts()) == (20, {"negative": 2, "positive": 2})


def test_a_table_of_bad_rows_alone_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("text,label\n,0\none\ntwo\n")
    with pytest.raises(
        InputError, match=r"no row with a text in the column 'text'; 2 rows cannot be used, the first since .*line \d"
    ):
        read(path=tmp_path / "bad.csv")


def test_a_table_without_any_class_says_so(tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("text,label\na,\nb,\n")
    with pytest.raises(InputError, match=r"2 rows cannot be used, the first since .* has no class; drop the row"):
        read(path=tmp_path / "bare.csv")


@pytest.mark.parametrize(
    "choose",
    [
        lambda pages: per_class(pages, 3, seed=0),
        lambda pages: of_classes(pages, ["a"]),
        lambda pages: imbalanced(pages, 2.0, seed=0),
        lambda pages: with_wrong_labels(pages, 0.2, seed=0),
    ],
    ids=["per_class", "of_classes", "imbalanced", "with_wrong_labels"],
)
def test_bad_rows_are_counted_whatever_part_of_a_table_is_asked_for(
    choose: Callable[[PageSet], PageSet], tmp_path: Path
) -> None:
    rows = [f"text {number},{'ab'[number % 2]}" for number in range(10)]
    (tmp_path / "some.csv").write_text("\n".join(["text,label", *rows, "no class,", "too,many,fields"]) + "\n")
    chosen = choose(read(path=tmp_path / "some.csv"))
    with pytest.raises(InputError, match=r"2 of \d+ cannot be read"):
        check_pages(chosen, skip_bad=False)
    kept, failed = check_pages(chosen, skip_bad=True)
    assert {page.number for page in failed} == {11, 12}
    assert all(page.label for page in kept.pages)


def test_batches_hold_the_bytes_and_stay_the_same_after_a_skip(table: Path) -> None:
    pages = read(path=table, text="sentence", names=NAMES)
    loader = Loader(pages, pages.labels, TextInput(32), batch=4, seed=0)
    batches = list(loader.epoch(1))
    by_id = {page.id: page.text for page in pages.pages}
    for batch in batches:
        assert batch.inputs.dtype == torch.uint8
        assert batch.inputs.shape == (4, 32)
        assert texts_of(batch.inputs.numpy()) == [by_id[key.page] for key in batch.keys]
    again = list(loader.epoch(1, skip=3))
    assert all(np.array_equal(a.inputs, b.inputs) for a, b in zip(batches[3:], again, strict=True))
