import pytest

from distildoc.schema.report import ReliabilityBin
from distildoc.study import read_runs
from distildoc.study.figures import _joined, _mean_risk, _pooled, charts_of
from distildoc.study.groups import group_runs
from distildoc.study.shown import SHOWN


def test_runs_without_evaluation_or_records_have_no_charts(make_run):
    charts = charts_of(group_runs(read_runs([make_run("kd", None)])), SHOWN["classification"])
    assert (charts.scores, charts.risk, charts.reliability, charts.learning) == (None,) * 4


def test_every_group_has_one_line_in_the_same_colour(make_run):
    folders = [make_run("kd-s0", 28), make_run("kd-s1", 30, seed=1), make_run("teacher", 36, method="supervised")]
    for folder in folders:
        (folder / "records.jsonl").write_text('{"kind": "validation", "step": 1, "epoch": 1, "score": 0.5}\n')
    charts = charts_of(group_runs(read_runs(folders)), SHOWN["classification"])
    for chart in (charts.risk, charts.reliability, charts.learning):
        assert [(line.name, line.colour) for line in chart.lines] == [("teacher", 0), ("kd", 1)]
    assert [(row.name, row.colour) for row in charts.scores.rows] == [("teacher", 0), ("kd", 1)]


def test_learning_curve_is_the_mean_of_the_seeds_at_each_epoch(make_run):
    folders = [make_run("kd-s0", 28), make_run("kd-s1", 30, seed=1)]
    for folder, scores in zip(folders, ([0.2, 0.6], [0.4]), strict=True):
        lines = [f'{{"kind": "validation", "step": 1, "epoch": {n + 1}, "score": {s}}}\n' for n, s in enumerate(scores)]
        (folder / "records.jsonl").write_text("".join(lines))
    chart = charts_of(group_runs(read_runs(folders)), SHOWN["classification"]).learning
    top, bottom = chart.y_ticks[-1], chart.y_ticks[0]
    per_unit = (bottom.at - top.at) / (float(top.text) - float(bottom.text))
    heights = [float(point.split(",")[1]) for point in chart.lines[0].points.split()]
    scores = [float(bottom.text) + (bottom.at - height) / per_unit for height in heights]
    assert scores == pytest.approx([0.3, 0.6], abs=0.002)


def test_mean_risk_of_a_curve_with_itself_is_that_curve(make_run):
    report = read_runs([make_run("kd", 28)])[0].report
    mean = _mean_risk([report, report])
    assert mean[-1] == pytest.approx((1.0, 12 / 40))
    assert mean[0] == pytest.approx((28 / 40, 0.0))  # 28 pages of confidence 0.9 are all right


def test_bins_are_joined_until_they_hold_a_twentieth_of_the_pages():
    bins = [
        ReliabilityBin(0.2, 0.3, 1, 0.25, 0.0),
        ReliabilityBin(0.5, 0.6, 3, 0.55, 1 / 3),
        ReliabilityBin(0.6, 0.7, 4, 0.65, 0.5),
        ReliabilityBin(0.9, 1.0, 92, 0.95, 1.0),
    ]
    # 92 alone; 4 + 3 reach 5; the last page joins them: (1 x 0.25 + 3 x 0.55 + 4 x 0.65) / 8, 3 of 8 right
    low, high = _joined(bins)
    assert low == pytest.approx((0.5625, 3 / 8))
    assert high == pytest.approx((0.95, 1.0))


def test_bins_of_several_seeds_are_pooled(make_run):
    reports = [run.report for run in read_runs([make_run("a", 28), make_run("b", 36)])]
    low, high = _pooled(reports)
    assert (low.pages, high.pages) == (16, 64)
    assert (low.accuracy, high.accuracy) == (0.0, 1.0)
    assert low.confidence == pytest.approx(0.6)


def test_band_of_a_learning_curve_reaches_from_the_least_seed_to_the_greatest(make_run):
    folders = [make_run("kd-s0", 28), make_run("kd-s1", 30, seed=1)]
    for folder, score in zip(folders, (0.2, 0.6), strict=True):
        lines = [f'{{"kind": "validation", "step": 1, "epoch": {epoch}, "score": {score}}}\n' for epoch in (1, 2)]
        (folder / "records.jsonl").write_text("".join(lines))
    chart = charts_of(group_runs(read_runs(folders)), SHOWN["classification"]).learning
    top, bottom = chart.y_ticks[-1], chart.y_ticks[0]
    per_unit = (bottom.at - top.at) / (float(top.text) - float(bottom.text))
    heights = [float(point.split(",")[1]) for point in chart.lines[0].band.split()]
    ends = [float(bottom.text) + (bottom.at - height) / per_unit for height in heights]
    assert ends == pytest.approx([0.2, 0.2, 0.6, 0.6], abs=0.002)
    alone = charts_of(group_runs(read_runs(folders[:1])), SHOWN["classification"]).learning
    assert alone.lines[0].band == ""
