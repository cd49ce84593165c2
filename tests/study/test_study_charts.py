import pytest

from distildoc.study.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Curve, axis, interval_chart, line_chart


@pytest.mark.parametrize(
    ("values", "ends", "texts"),
    [
        ([0.72, 0.93], (0.70, 0.95), ["0.70", "0.75", "0.80", "0.85", "0.90", "0.95"]),
        ([3, 28], (0, 30), ["0", "5", "10", "15", "20", "25", "30"]),
        ([0.5, 0.5], (0.44, 0.56), ["0.44", "0.46", "0.48", "0.50", "0.52", "0.54", "0.56"]),
        ([-3, 2], (-3, 2), ["-3", "-2", "-1", "0", "1", "2"]),
    ],
)
def test_axis_ends_are_round_and_hold_the_values(values, ends, texts):
    found = axis(values, "score")
    assert (found.low, found.high) == pytest.approx(ends)
    assert [text for _, text in found.ticks] == texts


def test_given_ends_are_kept():
    found = axis([0.31], "risk", low=0, high=1)
    assert (found.low, found.high) == (0, 1)
    assert [text for _, text in found.ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]


def test_axis_of_nothing_still_has_ticks():
    assert len(axis([], "epochs").ticks) >= 2


def test_corners_of_the_data_are_corners_of_the_plot():
    x, y = axis([0, 1], "x", low=0, high=1), axis([0, 2], "y", low=0, high=2)
    chart = line_chart("t", [Curve("a", [(0, 0), (1, 2)], 0)], x, y, diagonal=True)
    assert chart.lines[0].points == f"{LEFT:.1f},{HEIGHT - BOTTOM:.1f} {WIDTH - RIGHT:.1f},{TOP:.1f}"
    middle = (TOP + HEIGHT - BOTTOM) / 2
    assert chart.diagonal == f"{LEFT:.1f},{HEIGHT - BOTTOM:.1f} {WIDTH - RIGHT:.1f},{middle:.1f}"


def test_further_curves_repeat_colours_with_other_dashes():
    x = y = axis([0, 1], "x", low=0, high=1)
    chart = line_chart("t", [Curve(str(n), [(0, 0)], n) for n in range(30)], x, y)
    looks = {(entry.colour, entry.dash) for entry in chart.legend}
    assert len(looks) == 30


def test_interval_stays_inside_the_chart():
    x = axis([0.5, 0.9], "accuracy")
    chart = interval_chart("t", [("a" * 80, 0.7, 0.5, 0.9, 0)], x)
    row = chart.rows[0]
    assert chart.left <= row.low < row.x < row.high <= chart.right < chart.width
    assert len(row.name) < 30
    assert row.text == "0.700"
