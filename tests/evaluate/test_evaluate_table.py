import os

import numpy as np
import pytest

from distildoc.evaluate import PageTable, read_predictions, write_predictions
from distildoc.evaluate.run import pages_hash
from distildoc.metrics import paired_difference
from distildoc.metrics.accuracy import accuracies
from distildoc.schema.errors import InputError


def test_predictions_come_back_bit_for_bit(table, tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(table, path)
    back = read_predictions(path)
    assert (back.pages, back.labels) == (table.pages, table.labels)
    assert np.array_equal(back.targets, table.targets)
    assert back.probabilities.dtype == np.float32
    assert np.array_equal(back.probabilities, table.probabilities)


def test_names_with_commas_quotes_and_line_breaks_survive(tmp_path):
    odd = PageTable(
        ('a,"b"\nc', "=1+1"), ("x,y", "page"), np.array([1, 0]), np.array([[0.25, 0.75], [1, 0]], np.float32)
    )
    write_predictions(odd, tmp_path / "p.csv")
    back = read_predictions(tmp_path / "p.csv")
    assert back.pages == odd.pages
    assert back.labels == odd.labels


def test_a_page_whose_name_is_no_utf8_survives(tmp_path):
    odd = PageTable((os.fsdecode(b"f\xfcr"),), ("x", "y"), np.array([1]), np.array([[0.25, 0.75]], np.float32))
    write_predictions(odd, tmp_path / "p.csv")
    assert read_predictions(tmp_path / "p.csv").pages == odd.pages
    assert len(pages_hash(odd)) == 16


def test_file_is_readable_by_people(table, tmp_path):
    write_predictions(table, tmp_path / "p.csv")
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == "page,true,predicted,p:letter,p:memo,p:form"
    assert lines[1].startswith("page0,letter,")
    assert len(lines) == 61


def test_like_brings_pages_and_labels_into_the_other_order(table):
    turned = PageTable(
        table.pages[::-1],
        ("form", "letter", "memo"),
        np.array([1, 2, 0])[table.targets[::-1]],
        table.probabilities[::-1][:, [2, 0, 1]],
    )
    back = turned.like(table)
    assert back.pages == table.pages
    assert np.array_equal(back.targets, table.targets)
    assert np.array_equal(back.probabilities, table.probabilities)
    difference = paired_difference(accuracies, back.outcomes, table.outcomes)
    assert (difference.low, difference.high) == (0, 0)


def test_like_refuses_other_pages_labels_and_truths(table):
    fewer = PageTable(table.pages[:-1], table.labels, table.targets[:-1], table.probabilities[:-1])
    with pytest.raises(InputError, match="only one has 'page59'"):
        fewer.like(table)
    with pytest.raises(InputError, match="only one has 'page59'"):
        table.like(fewer)
    with pytest.raises(InputError, match="label sets differ"):
        PageTable(table.pages, ("letter", "memo", "email"), table.targets, table.probabilities).like(table)
    other = table.targets.copy()
    other[7] = (other[7] + 1) % 3
    with pytest.raises(InputError, match="page 'page7' different true classes"):
        PageTable(table.pages, table.labels, other, table.probabilities).like(table)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line must be page,true,predicted,p:LABEL"),
        ("page,true,predicted\n", "first line must be"),
        ("page,true,predicted,letter\n", "first line must be"),
        ("page,true,predicted,p:a,p:b\n", "no page"),
        ("page,true,predicted,p:a,p:b\nx,a,a,0.5\n", "line 2: 4 columns instead of 5"),
        ("page,true,predicted,p:a,p:b\nx,c,a,0.5,0.5\n", "line 2: unknown class 'c'"),
        ("page,true,predicted,p:a,p:b\nx,a,a,half,0.5\n", "line 2: could not convert"),
        ("page,true,predicted,p:a,p:b\nx,a,a,1,0\nx,a,a,1,0\n", "a page twice"),
    ],
)
def test_what_are_no_predictions_is_named_with_its_line(text, said, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_predictions(path)
    assert said in str(error.value)
    assert "predictions.csv" in str(error.value)


def test_missing_file_and_binary_file_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="no predictions can be read"):
        read_predictions(tmp_path / "predictions.csv")
    (tmp_path / "predictions.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="the first line must be"):
        read_predictions(tmp_path / "predictions.csv")
