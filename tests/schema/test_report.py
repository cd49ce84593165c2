import json
from dataclasses import replace

import pytest

from distildoc.schema.errors import InputError
from distildoc.schema.report import (
    FORMAT,
    ReliabilityBin,
    Report,
    RiskPoint,
    Score,
    read_report,
    report_from_json,
)


@pytest.fixture
def report():
    return Report(
        task="classification",
        labels=("letter", "memo"),
        pages=3,
        failed=1,
        scores={"accuracy": Score(2 / 3, 0.1, 1.0), "ece": Score(0.2, 0.25, 0.3)},
        slices={"class: letter": {"recall": Score(0.5, 0.0, 1.0)}},
        confusion=((1, 1), (0, 1)),
        reliability=(ReliabilityBin(0.6, 2 / 3, 3, 0.65, 2 / 3),),
        risk_coverage=(RiskPoint(1.0, 1 / 3), RiskPoint(1 / 3, 0.0)),
        cost={"parameters": 41_000},
        source={"pages": "val"},
    )


def test_report_comes_back_from_json_as_it_went(report):
    assert report_from_json(json.loads(json.dumps(report.to_json())), "report.json") == report


def test_report_comes_back_from_a_file(report, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.to_json()))
    assert read_report(path) == report


def test_reads_format_one_as_it_was_first_written():
    written = """{"format": 1, "task": "classification", "labels": ["a"], "pages": 1, "failed": 0,
        "scores": {"accuracy": {"value": 1, "low": 1, "high": 1}}, "slices": {}, "confusion": [[1]],
        "reliability": [{"low": 0.9, "high": 1, "pages": 1, "confidence": 0.95, "accuracy": 1}],
        "risk_coverage": [{"coverage": 1, "risk": 0}], "primary": "accuracy", "cost": {"macs": 1e9}, "source": {}}"""
    report = report_from_json(json.loads(written), "old")
    assert report.scores["accuracy"] == Score(1, 1, 1)
    assert report.reliability == (ReliabilityBin(0.9, 1, 1, 0.95, 1),)
    assert report.cost == {"macs": 1e9}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("format", FORMAT + 1, "format 2, this version reads 1"),
        ("labels", "letter", "'labels' must be a list"),
        ("labels", [1], "'labels' must be text"),
        ("pages", -3, "'pages' must be a count"),
        ("pages", True, "'pages' must be a count"),
        ("pages", 4, "counts 3 pages, the report 4"),
        ("scores", {}, "primary score 'accuracy' is not among"),
        ("scores", {"accuracy": {"value": 1, "low": 0}}, "'scores.accuracy' must have value, low, high"),
        ("scores", {"accuracy": {"value": 1, "low": 1, "high": 0}}, "interval in order"),
        ("scores", {"accuracy": {"value": float("nan"), "low": 1, "high": 0}}, "must be a finite number"),
        ("scores", {"accuracy": 0.5}, "'scores.accuracy' must be an object"),
        ("slices", {"class: a": {"recall": "high"}}, "'slices.class: a.recall' must be an object"),
        ("confusion", [[1, 2]], "2 labels cannot have rows of"),
        ("confusion", [[1, 0.5], [0, 1]], "must be a count"),
        ("reliability", [{"low": 0}], "must have low, high, pages, confidence, accuracy"),
        ("risk_coverage", [[1, 0]], "must be an object"),
        ("cost", {"macs": "many"}, "'cost.macs' must be a finite number"),
        ("cost", {"macs": 10**400}, "'cost.macs' must be a finite number"),
        ("source", {"hash": 3}, "'source.hash' must be text"),
    ],
)
def test_a_wrong_field_is_named_in_one_line(report, field, value, said):
    with pytest.raises(InputError) as error:
        report_from_json({**report.to_json(), field: value}, "runs/kd/report.json")
    assert said in str(error.value)
    assert str(error.value).startswith("runs/kd/report.json: ")
    assert "\n" not in str(error.value)


def test_a_missing_field_is_named(report):
    fields = report.to_json()
    del fields["confusion"]
    with pytest.raises(InputError, match="no field 'confusion'"):
        report_from_json(fields, "report.json")


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000])
def test_what_is_no_report_is_an_input_error(text, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"report\.json"):
        read_report(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"report\.json: no such file"):
        read_report(tmp_path / "report.json")


def test_a_file_too_large_is_not_read(tmp_path, monkeypatch, report):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.to_json()))
    monkeypatch.setattr("distildoc.schema.report.MAX_BYTES", 10)
    with pytest.raises(InputError, match="more than the 10 allowed"):
        read_report(path)


def test_a_report_cannot_rank_by_a_score_it_lacks(report):
    with pytest.raises(ValueError, match="primary score 'f1'"):
        replace(report, primary="f1")
