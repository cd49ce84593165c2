"""`distildoc predict --max-error`, as a user types it."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import beta

Distildoc = Callable[..., Any]
POINTS = [[0.2, 200, 40], [0.500001, 150, 12], [0.999, 60, 1]]


@pytest.fixture
def careful(bundle: Path) -> Path:
    """The bundle with a curve of 200 validation pages."""
    content = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**content, "selective": {"pages": 200, "points": POINTS}}))
    return bundle


def test_the_screen_says_what_was_answered_and_what_that_rests_on(
    careful: Path, pages: Path, tmp_path: Path, distildoc: Distildoc
) -> None:
    done = distildoc("predict", careful, pages / "test", "-o", tmp_path / "out", "--max-error", "0.02")
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    below = [float(row["confidence"]) < 0.999 for row in rows]
    assert [row["abstained"] == "true" for row in rows] == below == [not row["label"] for row in rows]
    assert done.code == 0
    assert f"{6 - sum(below)} answered, {sum(below)} abstained (confidence below 0.999)" in done.out
    assert "that threshold answered 60 of 200 validation pages, 1 wrongly (1.67%)" in done.out
    assert f"at most {beta.ppf(0.95, 2, 59):.2%} with 95 % confidence" in done.out


def test_being_sure_asks_for_more(careful: Path, pages: Path, tmp_path: Path, distildoc: Distildoc) -> None:
    words = ("predict", careful, pages / "test", "-o", tmp_path / "out", "--max-error", "0.2", "--sure", "0.9")
    done = distildoc(*words)
    bound = beta.ppf(1 - 0.1 / 3, 13, 138)  # three points, so three tests
    assert re.search(
        rf"150 of 200 validation pages.* at most {bound:.2%} with 90 % confidence, for pages like", done.out
    )


def test_without_a_rate_the_screen_says_nothing_of_abstaining(
    careful: Path, pages: Path, tmp_path: Path, distildoc: Distildoc
) -> None:
    assert "abstained" not in distildoc("predict", careful, pages / "test", "-o", tmp_path / "out").out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--max-error", "0.001"), ("error rate 0.001", "the least is 0.0167, at coverage 0.30")),
        (("--max-error", "2"), ("error rate 2", "from 0 to 1")),
        (("--max-error", "nan"), ("error rate nan", "from 0 to 1")),
        (("--max-error", "few"), ("'--max-error'",)),
        (("--max-error", "0.02", "--sure", "0.95"), ("0.95 sure", "cannot promise it")),
        (("--max-error", "0.02", "--sure", "95"), ("being 95 sure", "below 1")),
        (("--sure", "0.95"), ("--max-error",)),
    ],
)
def test_what_cannot_be_kept_is_refused_in_one_line(
    options: tuple[str, ...], says: tuple[str, ...], careful: Path, pages: Path, refused: Callable[..., None]
) -> None:
    refused("predict", careful, pages / "test", "-o", careful.parent / "out", *options, says=says)


def test_a_bundle_without_a_curve_is_to_be_exported_again(
    bundle: Path, pages: Path, tmp_path: Path, refused: Callable[..., None]
) -> None:
    content = json.loads((bundle / "bundle.json").read_text())
    del content["selective"]
    (bundle / "bundle.json").write_text(json.dumps({**content, "format": 1}))
    words = ("predict", bundle, pages / "test", "-o", tmp_path / "out", "--max-error", "0.02")
    refused(*words, says=("no risk-coverage curve", "`distildoc export`"))
