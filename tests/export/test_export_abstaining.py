from scipy.stats import beta

import distildoc
from distildoc.export.abstaining_text import abstaining_text
from distildoc.export.bundle import write_bundle
from distildoc.schema.bundle import read_bundle
from distildoc.schema.selective import OperatingPoint, SelectiveCurve

CURVE = SelectiveCurve(
    1000, (OperatingPoint(0.31, 1000, 80), OperatingPoint(0.6, 850, 40), OperatingPoint(0.9, 300, 5))
)


def test_the_card_names_the_threshold_of_each_error_rate():
    lines = abstaining_text(CURVE).splitlines()
    bounds = [beta.ppf(0.95, errors + 1, answered - errors) for errors, answered in ((5, 300), (40, 850), (80, 1000))]
    assert "| 1% | not reached | | | | | |" in lines
    assert f"| 2% | 0.9 | 30.0% | 300 | 5 | 1.67% | {bounds[0]:.2%} |" in lines
    assert f"| 5% | 0.6 | 85.0% | 850 | 40 | 4.71% | {bounds[1]:.2%} |" in lines
    assert f"| 10% | 0.31 | 100.0% | 1,000 | 80 | 8.00% | {bounds[2]:.2%} |" in lines


def test_the_card_shows_each_point_of_the_curve_once():
    text = abstaining_text(CURVE).partition("coverage of at least")[2]
    assert [line.split(" | ")[:2] for line in text.splitlines()[2:]] == [
        ["| 100 %", "0.31"],
        ["| 80 %", "0.6"],
        ["| 30 %", "0.9"],
    ]


def test_tables_are_as_wide_as_their_heads():
    rows = [line for line in abstaining_text(CURVE).splitlines() if line.startswith("|")]
    assert len(rows) == 4 + 3 + 2 * 2
    assert {row.count("|") for row in rows} == {8}


def test_a_student_is_exported_with_its_curve_and_abstains(student, preprocess, pages, tmp_path):
    folder = tmp_path / "bundle"
    bundle = write_bundle(folder, student, preprocess=preprocess, selective=CURVE)
    assert read_bundle(folder) == bundle
    assert bundle.selective == CURVE
    assert "## Abstaining" in (folder / "README.md").read_text()
    found = list(distildoc.load(folder, max_error=0.05)(pages))
    assert [prediction.abstained for prediction in found] == [prediction.confidence < 0.6 for prediction in found]


def test_a_bundle_without_a_curve_says_nothing_of_abstaining(exported):
    assert "Abstaining" not in (exported / "README.md").read_text()
