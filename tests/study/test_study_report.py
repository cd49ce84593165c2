"""The report of a study folder made without training: 2 data sets, 2 students, 3 methods and labels alone, 3 seeds."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from distildoc.evaluate import PageTable, report_of
from distildoc.evaluate.table import write_predictions
from distildoc.schema.errors import InputError
from distildoc.schema.report import Report
from distildoc.study import load, write_report
from distildoc.study.harder import agreements_of, damages_of, shifts_of
from distildoc.study.results import read_results
from distildoc.study.shown import SHOWN
from distildoc.study.statistics import places_of
from distildoc.study.study_charts import pictures_of
from distildoc.study.tables import latex, tables_of

LABELS = ("letter", "memo")
DATA, STUDENTS, METHODS, SEEDS = ("real", "made"), ("a", "b"), ("kd", "mse", "worse <b>"), (0, 1, 2)
RATES = {"supervised": 0.70, "kd": 0.95, "mse": 0.72, "worse <b>": 0.40}  # of right pages
FAILED, MISSING = ("real", "a", "mse", 2), ("made", "b", "kd", 1)


def table_of(rate: float, seed: int, pages: int = 60) -> PageTable:
    rng = np.random.default_rng([seed, round(rate * 100)])
    targets = np.arange(pages) % 2
    said = np.where(np.arange(pages) < round(rate * pages), targets, 1 - targets)
    sure = rng.uniform(0.6, 0.99, pages)
    rows = np.where(np.eye(2)[said] == 1, sure[:, None], 1 - sure[:, None])
    return PageTable(tuple(f"page{n}" for n in range(pages)), LABELS, targets, rows.astype(np.float32))


def write_scored(folder: Path, table: PageTable, report: Report) -> None:
    folder.mkdir(parents=True)
    write_predictions(table, folder / "predictions.csv")
    (folder / "report.json").write_text(json.dumps(report.to_json()))


def write_run(folder: Path, table: PageTable, method: str, seed: int) -> None:
    report = report_of(table, source={"run": folder.name})
    cost = {"parameters": 1e4 + 1e3 * len(method), "macs": 1e6, "latency_ms": 1.0 + len(method), "threads": 1.0}
    write_scored(folder / "evaluation", table, replace(report, cost=cost))
    record = {"name": folder.name, "method": method, "seed": seed, "stages": {"train": {"seconds": 12.5}}}
    (folder / "run.json").write_text(json.dumps(record))
    if method == "kd":
        (folder / "config.yaml").write_text("teacher: {runs: [runs/t]}\n")


def write_exams(folder: Path, rate: float, seed: int) -> None:
    table = table_of(rate / 2, seed)
    write_scored(folder / "exams" / "shifted" / "twin", table, report_of(table))
    kinds = {
        "blur": [
            {"severity": 1, "accuracy": rate - 0.1, "ece": 0.1},
            {"severity": 2, "accuracy": rate - 0.3, "ece": 0.2},
        ]
    }
    damaged = {"format": 1, "clean": {"accuracy": rate}, "kinds": kinds, "mean": {"accuracy": rate - 0.2, "ece": 0.15}}
    damaged |= {"relative": {"accuracy": 0.2 / rate}}
    (folder / "exams" / "corruptions.json").write_text(json.dumps(damaged))
    attacked = {"accuracy": {"pgd-20": {"value": rate / 4, "low": 0.0, "high": 1.0}}}
    attacked["certified"] = {"within": {"0.1": {"value": rate / 8, "low": 0.0, "high": 1.0}}}
    (folder / "exams" / "attacks.json").write_text(json.dumps(attacked))
    cka = {"student": ["early", "late"], "teacher": ["early"], "values": [[0.5], [None if seed else 0.9]]}
    agreed = {
        "fidelity": {"value": 0.8, "low": 0.7, "high": 0.9},
        "kl": {"value": 0.3, "low": 0.2, "high": 0.4},
        "cka": cka,
    }
    (folder / "exams" / "agreement.json").write_text(json.dumps(agreed))
    found = {"map": {"value": rate - 0.05 * seed, "low": 0.1, "high": 0.9}}
    (folder / "exams" / "retrieval.json").write_text(json.dumps({"cosine": found, "euclidean": found}))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    cells: list[dict[str, Any]] = []
    for number, (data, student, method, seed) in enumerate(
        (d, s, m, seed) for seed in SEEDS for d in DATA for s in STUDENTS for m in ("supervised", *METHODS)
    ):
        key = f"{number:016x}"
        base = None if method == "supervised" else f"{number - ('supervised', *METHODS).index(method):016x}"
        name = f"{data}-{student}-m{METHODS.index(method) if base else ''}-s{seed}"
        at = {"data": data, "student": student, "method": method}
        cells.append({"name": name, "key": key, "at": at, "seed": seed, "folder": f"runs/{key}", "baseline": base})
        if (data, student, method, seed) == FAILED:
            (folder / "failures").mkdir()
            (folder / "failures" / f"{key}.json").write_text(
                json.dumps({"name": name, "error": "the loss <is> not finite"})
            )
        elif (data, student, method, seed) != MISSING:
            write_run(folder / "runs" / key, table_of(RATES[method], seed), method, seed)
            if data == "made":
                write_exams(folder / "runs" / key, RATES[method], seed)
    write_run(folder / "runs" / "t", table_of(0.99, 0), "supervised", 0)
    axes = {"data": list(DATA), "student": list(STUDENTS), "method": list(METHODS)}
    content = {"format": 1, "name": "made up", "about": "What <helps>", "rows": "method", "columns": "student"}
    content |= {"axes": axes, "baseline": "supervised", "seeds": list(SEEDS), "cells": cells}
    content |= {"before": [{"name": "teacher", "key": "t" * 16, "folder": "runs/t"}]}
    (folder / "cells.json").write_text(json.dumps(content))
    return folder


def test_a_place_is_the_mean_of_its_seeds_and_its_gain_is_paired(study: Path) -> None:
    places = places_of(read_results(study), resamples=300)
    place = places[("data", "made"), ("student", "a"), ("method", "kd")]
    assert place.scores["accuracy"].value == pytest.approx(0.95)
    assert place.scores["accuracy"].seeds == 3
    assert place.gains["accuracy"].value == pytest.approx(0.25)
    assert place.gains["accuracy"].low > 0
    assert not places[("data", "made"), ("student", "a"), ("method", "supervised")].gains


def test_seeds_that_are_missing_are_left_out_on_both_sides(study: Path) -> None:
    places = places_of(read_results(study), resamples=50)
    assert places[("data", "made"), ("student", "b"), ("method", "kd")].gains["accuracy"].seeds == 2
    assert places[("data", "real"), ("student", "a"), ("method", "mse")].scores["accuracy"].seeds == 2


def test_holm_counts_all_comparisons_of_a_score_in_the_study(study: Path) -> None:
    gains = [p.gains["accuracy"] for p in places_of(read_results(study), resamples=300).values() if p.gains]
    assert len(gains) == 2 * 2 * 3
    least = min(gain.p for gain in gains)
    assert min(gain.p_holm for gain in gains) == pytest.approx(min(1.0, 12 * least))


def test_tables_have_rows_by_columns_and_the_teacher_of_their_pages(study: Path) -> None:
    results = read_results(study)
    tables = tables_of(results, places_of(results, resamples=50))
    assert [table.title for table in tables] == list(DATA)
    for table in tables:
        assert [line.name for line in table.lines] == ["supervised", *METHODS]
        assert [name for name, _ in table.teachers] == ["teacher"]
        assert {column for column, _ in table.teachers[0][1]} == set(STUDENTS)
        best = [line.name for line in table.lines if line.boxes["a", "accuracy"].best]
        assert best == ["kd"]


def test_a_teacher_stands_in_the_columns_that_name_it(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "study")
    for cell in json.loads((study / "cells.json").read_text())["cells"]:
        if cell["at"]["student"] == "b":
            (tmp_path / "study" / cell["folder"] / "config.yaml").unlink(missing_ok=True)
    results = read_results(tmp_path / "study")
    for table in tables_of(results, places_of(results, resamples=50)):
        assert {column for column, _ in dict(table.teachers)["teacher"]} == {"a"}


def test_the_seeds_that_have_the_sign_of_the_mean_are_counted(study: Path, tmp_path: Path) -> None:
    """kd gains 0.25, 0.25 and, where its third seed is as good as the worst method, -0.3: two of three agree."""
    shutil.copytree(study, tmp_path / "study")
    kd = {"data": "made", "student": "a", "method": "kd"}
    cells = json.loads((study / "cells.json").read_text())["cells"]
    (third,) = [cell["folder"] for cell in cells if cell["at"] == kd and cell["seed"] == 2]
    shutil.rmtree(tmp_path / "study" / third)
    write_run(tmp_path / "study" / third, table_of(0.4, 2), "kd", 2)
    gain = places_of(read_results(tmp_path / "study"), resamples=50)[tuple(kd.items())].gains["accuracy"]
    assert gain.value == pytest.approx((0.25 + 0.25 - 0.3) / 3)
    assert (gain.agree, gain.seeds) == (2, 3)


def test_latex_is_balanced_and_escaped(study: Path) -> None:
    results = read_results(study)
    text = latex(tables_of(results, places_of(results, resamples=50))[0])
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in body[1:]} == {2 * 3}
    assert text.count("{") == text.count("}")
    assert text.startswith(r"\begin{tabular}{lrrrrrr}")
    assert text.endswith("\\end{tabular}\n")


def test_shifted_pages_are_ranked_as_scipy_ranks_them(study: Path) -> None:
    (found,) = shifts_of(read_results(study))
    assert (found.pages, dict(found.table)) == ("twin", {"data": "made"})
    inside, outside = [one.inside for one in found.rows], [one.outside for one in found.rows]
    overall = found.ranks[-1]
    assert (overall.where, overall.rows) == ("all", 8)
    assert overall.spearman == pytest.approx(stats.spearmanr(inside, outside).statistic)
    kd = next(one for one in found.rows if (one.row, one.column) == ("kd", "a"))
    assert kd.lost == pytest.approx((kd.inside - kd.outside) / kd.inside)
    frame = load(study).query("data == 'made' and method == 'kd' and student == 'a'")
    assert kd.others["ece"] == pytest.approx((frame["ece"].mean(), frame["shifted:twin:ece"].mean()))


def test_rows_that_are_all_equal_have_no_rank(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "study")
    for report in (tmp_path / "study").glob("runs/*/exams/shifted/twin/report.json"):
        report.write_text(json.dumps(report_of(table_of(0.5, 0)).to_json()))
    (found,) = shifts_of(read_results(tmp_path / "study"))
    assert all(np.isnan(rank.spearman) and np.isnan(rank.kendall) for rank in found.ranks)


def test_damage_is_the_mean_of_seeds_and_severities(study: Path) -> None:
    found = {(one.row, one.column): one for one in damages_of(read_results(study), (("data", "made"),))}
    assert len(found) == 8
    assert found["kd", "a"].mean == pytest.approx(0.75)
    assert found["kd", "a"].kinds["blur"] == pytest.approx(0.75)
    assert found["kd", "a"].relative == pytest.approx(0.2 / 0.95)
    assert [found["kd", "a"].at(severity) for severity in (0, 1, 2)] == pytest.approx([0.95, 0.85, 0.65])
    assert not damages_of(read_results(study), (("data", "real"),))


def test_a_likeness_that_one_seed_lacks_is_no_number(study: Path) -> None:
    kd = next(one for one in agreements_of(read_results(study), (("data", "made"),)) if one.row == "kd")
    assert kd.scores["fidelity"] == pytest.approx(0.8)
    assert kd.cka[0][0] == pytest.approx(0.5)
    assert np.isnan(kd.cka[1][0])


@pytest.fixture(scope="module")
def report(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "here"
    written = write_report(study, out)
    assert written[0] == out / "index.html"
    assert all(path.is_file() for path in written)
    return out


def test_the_page_needs_nothing_else_and_runs_nothing(report: Path) -> None:
    html = (report / "index.html").read_text()
    assert not re.search(r"<script|<link|https?://(?!www\.w3\.org)|src=", html)


def test_the_page_escapes_what_comes_from_runs(report: Path) -> None:
    html = (report / "index.html").read_text()
    assert "worse <b>" not in html
    assert "worse &lt;b&gt;" in html
    assert "What &lt;helps&gt;" in html


def test_the_page_names_failed_and_missing_cells_with_their_cause(report: Path) -> None:
    html = (report / "index.html").read_text()
    assert "the loss &lt;is&gt; not finite" in html
    assert "46 of 48 cells are done" in html
    assert "(missing)" in html


def test_whiskers_are_the_intervals_of_the_table(study: Path) -> None:
    results = read_results(study)
    places = places_of(results, resamples=50)
    table = tables_of(results, places)[1]
    shown = SHOWN["classification"]
    whiskers = pictures_of(results, table, places, shown).panels[0].charts.scores
    assert whiskers is not None
    by_name = {row.name: row for row in whiskers.rows}
    lines = {line.name: line.boxes["a", "accuracy"].estimate for line in table.lines}
    assert by_name.keys() == lines.keys()
    widths = [(by_name[name].high - by_name[name].low) / (one.high - one.low) for name, one in lines.items()]
    assert widths == pytest.approx([widths[0]] * len(widths))


def test_a_number_that_is_none_is_a_dash(report: Path) -> None:
    html = (report / "index.html").read_text()
    assert not re.search(r"[>: ]nan\b", html)


def test_plots_are_files_of_their_own(report: Path) -> None:
    plots = sorted(path.name for path in (report / "plots").glob("*.svg"))
    assert {"1-real-size.svg", "1-real-latency.svg", "1-real-a-reliability.svg", "2-made-shift-twin.svg"} <= set(plots)
    assert {"2-made-Damage-a.svg", "2-made-Damage-b.svg"} <= set(plots)
    for name in plots:
        text = (report / "plots" / name).read_text()
        assert text.lstrip().startswith("<svg xmlns=")
        assert "var(--paper)" in text


def test_the_data_frame_has_the_scores_of_retrieval_where_they_are(study: Path) -> None:
    table = load(study).query("status == 'done'")
    made = table.query("data == 'made' and method == 'kd' and student == 'a'").set_index("seed")
    assert list(made["cosine:map"]) == pytest.approx([RATES["kd"] - 0.05 * seed for seed in made.index])
    assert list(made["euclidean:map"]) == list(made["cosine:map"])
    assert table.query("data != 'made'")["cosine:map"].isna().all()


def test_csv_and_data_frame_have_the_same_numbers(report: Path, study: Path) -> None:
    table = load(study)
    with (report / "tables" / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(table) == 48
    assert [row["accuracy"] for row in rows if row["status"] == "done"] == [str(v) for v in table["accuracy"].dropna()]
    assert table["status"].value_counts().to_dict() == {"done": 46, "failed": 1, "missing": 1}
    assert table.groupby("method")["accuracy"].mean()["kd"] == pytest.approx(0.95)
    assert table["shifted:twin:accuracy"].notna().sum() == 23
    made = table[(table["data"] == "made") & (table["method"] == "kd")]
    assert made["attacked:pgd-20"].mean() == pytest.approx(RATES["kd"] / 4)
    assert made["certified:0.1"].mean() == pytest.approx(RATES["kd"] / 8)


def test_a_folder_without_a_study_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no study there \(no cells\.json\)"):
        write_report(tmp_path)


def test_a_folder_with_other_things_is_not_replaced(study: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match="holds other things than a report"):
            write_report(study, out)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "words"),
    [({"format": 2}, "format 2, this version reads 1"), ({"format": 1}, "not what `distildoc study run` writes")],
)
def test_a_wrong_listing_is_one_line(content: dict[str, Any], words: str, tmp_path: Path) -> None:
    (tmp_path / "cells.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        read_results(tmp_path)


def test_a_run_outside_the_study_is_not_read(study: Path, tmp_path: Path) -> None:
    content = json.loads((study / "cells.json").read_text())
    content["cells"][0]["folder"] = "../../elsewhere"
    (tmp_path / "cells.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="lies outside the study"):
        read_results(tmp_path)
