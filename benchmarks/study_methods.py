"""Study (a): its figures as one result file, and the paper's claims held against them.

    DISTILDOC_DATA=... distildoc study run studies/methods.yaml --processes 2
    python benchmarks/study_methods.py runs/methods              (2 minutes)

Writes benchmarks/results/study_methods.json and docs/studies/methods.md, whose tables are made from it. Differences are
those of the report: paired over seeds and pages, corrected by Holm. Response methods are KD, MSE on logits and NKD;
feature methods FitNet and SimKD. Calibration is judged before the temperature is fitted, as in the paper, and after.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from measuring import ROOT, write_result

from distildoc.study import load
from distildoc.study.formats import points
from distildoc.study.harder import Shifted, agreements_of, damages_of, shifts_of
from distildoc.study.results import Results, read_results
from distildoc.study.statistics import Place, places_of

RESPONSE, FEATURE = ("kd", "logit_mse", "nkd"), ("fitnet", "simkd_mlp", "simkd_cnn")
PAGE = ROOT / "docs" / "studies" / "methods.md"
Table = dict[tuple[str, str, str], dict[str, float]]  # data, student, method -> mean over seeds of each number


def means(folder: Path) -> Table:
    """Mean over seeds of every number of every place."""
    table = load(folder).drop(columns=["seed", "key", "folder", "status", "cause"])
    found = table.groupby(["data", "student", "method"]).mean()
    return {place: row.dropna().to_dict() for place, row in found.iterrows()}


def places_facts(places: Mapping[Any, Place]) -> list[dict[str, Any]]:
    return [
        {
            **dict(at),
            "scores": {name: rounded(asdict(one)) for name, one in place.scores.items()},
            "gains": {name: rounded(asdict(one)) for name, one in place.gains.items()},
        }
        for at, place in places.items()
    ]


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


def gain(places: Mapping[Any, Place], data: str, student: str, method: str) -> str:
    one = places[("data", data), ("student", student), ("method", method)].gains["accuracy"]
    sure = "significant" if one.significant else "not significant"
    return f"{points(one.value)} [{points(one.low)}, {points(one.high)}] points, {sure}"


def grid(table: Table) -> list[tuple[str, str]]:
    return list(dict.fromkeys((data, student) for data, student, _ in table))


def simkd_is_most_accurate(table: Table, places: Mapping[Any, Place]) -> dict[str, Any]:
    lines, held = [], 0
    for data, student in grid(table):
        scores = {m: table[data, student, m]["accuracy"] for m in ("supervised", *RESPONSE, *FEATURE)}
        order = sorted(scores, key=lambda m: -scores[m])
        held += order[0].startswith("simkd")
        lines.append(
            f"{data}, {student}: {order[0]} {scores[order[0]]:.3f} before {order[1]} {scores[order[1]]:.3f}; simkd_cnn "
            f"{gain(places, data, student, 'simkd_cnn')}, simkd_mlp {gain(places, data, student, 'simkd_mlp')}"
        )
    return {"claim": "SimKD is best in accuracy", "held": held, "of": len(lines), "lines": lines}


def response_is_best_calibrated(table: Table, places: Mapping[Any, Place]) -> dict[str, Any]:
    lines, held = [], 0
    for data, student in grid(table):
        one = {
            when: {
                name: float(np.mean([table[data, student, m][key] for m in methods]))
                for name, methods in (("response", RESPONSE), ("feature", FEATURE), ("supervised", ("supervised",)))
            }
            for when, key in (("before", "raw_ece"), ("after", "ece"))
        }
        held += one["before"]["response"] < one["before"]["feature"]
        best = min((*RESPONSE, *FEATURE), key=lambda m: table[data, student, m]["raw_ece"])
        said = "; ".join(
            f"{when} temperature scaling response {v['response']:.3f}, feature {v['feature']:.3f}, labels alone "
            f"{v['supervised']:.3f}"
            for when, v in one.items()
        )
        lines.append(f"{data}, {student}: ECE {said}; least before: {best} {table[data, student, best]['raw_ece']:.3f}")
    return {"claim": "Response methods are best calibrated", "held": held, "of": len(lines), "lines": lines}


def nkd_helps_random_starts(table: Table, places: Mapping[Any, Place]) -> dict[str, Any]:
    """All students start from random weights."""
    lines, held = [], 0
    for data, student in grid(table):
        one = places[("data", data), ("student", student), ("method", "nkd")].gains["accuracy"]
        held += one.significant and one.value > 0
        lines.append(
            f"{data}, {student}: NKD {gain(places, data, student, 'nkd')} (KD {gain(places, data, student, 'kd')})"
        )
    return {"claim": "NKD helps random initialisation", "held": held, "of": len(lines), "lines": lines}


def mse_is_weakest_under_shift(table: Table, places: Mapping[Any, Place]) -> dict[str, Any]:
    lines, held = [], 0
    for data, student in grid(table):
        key = "shifted:twin:accuracy" if data == "corpus" else "damaged:accuracy"
        what = "the shifted twin" if data == "corpus" else "damaged pages"
        scores = {m: table[data, student, m][key] for m in (*RESPONSE, *FEATURE)}
        order = sorted(scores, key=lambda m: scores[m])
        held += order[0] == "logit_mse"
        told = ", ".join(f"{m} {scores[m]:.3f}" for m in order)
        lines.append(f"{data}, {student}, accuracy on {what}, from the weakest: {told}")
    return {"claim": "MSE is weakest under shift", "held": held, "of": len(lines), "lines": lines}


def larger_gap_hurts(table: Table, results: Results) -> dict[str, Any]:
    """The share of the way from labels alone to the teacher, by student: the smaller student has the larger gap."""
    lines, held, of = [], 0, 0
    for data in dict.fromkeys(data for data, _ in grid(table)):
        report = next(entry.report() for entry in results.before if entry.name.endswith(data))
        assert report is not None
        teacher = report.scores["accuracy"].value
        for method in (*RESPONSE, *FEATURE):
            shares = {}
            for student in ("micro", "mini"):
                alone = table[data, student, "supervised"]["accuracy"]
                shares[student] = (table[data, student, method]["accuracy"] - alone) / (teacher - alone)
            of, held = of + 1, held + (shares["micro"] < shares["mini"])
            lines.append(
                f"{data}, {method}: {100 * shares['micro']:.0f} % of the way to the teacher ({teacher:.3f}) with the "
                f"smaller student, {100 * shares['mini']:.0f} % with the larger"
            )
    return {"claim": "A larger gap hurts", "held": held, "of": of, "lines": lines}


def shift_facts(found: Sequence[Shifted]) -> list[dict[str, Any]]:
    return [
        {
            "pages": one.pages,
            **dict(one.table),
            "rows": [{**rounded(asdict(row)), "lost": round(row.lost, 4)} for row in one.rows],
            "ranks": [rounded(asdict(rank)) for rank in one.ranks],
        }
        for one in found
    ]


def score_table(facts: Mapping[str, Any], data: str) -> list[str]:
    lines = [
        "| student | method | accuracy [95 %] | points to labels alone | AURC | ECE | ECE before scaling | weights |"
    ]
    lines.append("|---|---|--:|--:|--:|--:|--:|--:|")
    for one in facts["places"]:
        if one["data"] != data:
            continue
        scores, mean = one["scores"], facts["means"][f"{data}/{one['student']}/{one['method']}"]
        acc, change = scores["accuracy"], one["gains"].get("accuracy")
        told = ""
        if change is not None:
            star = "*" if change["p_holm"] < 0.05 else ""
            told = f"{points(change['value'])}{star} [{points(change['low'])}, {points(change['high'])}]"
        lines.append(
            f"| {one['student']} | {one['method']} | {acc['value']:.3f} [{acc['low']:.3f}, {acc['high']:.3f}] "
            f"| {told} | {scores['aurc']['value']:.3f} | {scores['ece']['value']:.3f} | {mean['raw_ece']:.3f} | "
            f"{mean['parameters']:,.0f} |"
        )
    return lines


def exam_table(facts: Mapping[str, Any], data: str) -> list[str]:
    shifted = data == "corpus"
    lines = [
        "| student | method | damaged | share lost |" + (" shifted twin | its ECE |" if shifted else "") + " fidelity |"
    ]
    lines.append("|---|---|--:|--:|" + ("--:|--:|" if shifted else "") + "--:|")
    for name, mean in facts["means"].items():
        where, student, method = name.split("/")
        if where != data:
            continue
        twin = f" {mean['shifted:twin:accuracy']:.3f} | {mean['shifted:twin:ece']:.3f} |" if shifted else ""
        agreed = f"{mean['fidelity']:.3f}" if "fidelity" in mean else "–"
        lost = f"{100 * mean['damaged:relative:accuracy']:.0f} %"
        lines.append(f"| {student} | {method} | {mean['damaged:accuracy']:.3f} | {lost} |{twin} {agreed} |")
    return lines


def page(facts: Mapping[str, Any]) -> str:
    """docs/studies/methods.md, all of it from the result file."""
    lines = ["# Study (a): methods by students", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += ["## The paper's claims here", ""]
    for one in facts["claims"]:
        verdict = "holds" if one["held"] == one["of"] else "does not hold" if not one["held"] else "holds in part"
        lines += [f"**{one['claim']}**: {verdict} ({one['held']} of {one['of']} comparisons).", ""]
        lines += [*(f"- {line}" for line in one["lines"]), ""]
    for data, title in (("rvl5", "rvl5: real pages of five classes"), ("corpus", "Built-in corpus: 16 classes")):
        name, scores = next((n, s) for n, s in facts["teachers"].items() if n.endswith(data))
        told = ", ".join(f"{key} {scores[key]:.3f}" for key in ("accuracy", "aurc", "ece"))
        lines += [f"## {title}", "", f"Teacher ({name}): {told}.", "", *score_table(facts, data), ""]
        lines += [*exam_table(facts, data), ""]
    for one in facts["shifts"]:
        ranks = "; ".join(
            f"{r['where']}: Spearman {r['spearman']:.2f}, Kendall {r['kendall']:.2f}" for r in one["ranks"]
        )
        lines += [f"Rank correlation of accuracy on the test pages and on the {one['pages']}: {ranks}.", ""]
    return "\n".join(lines)


INTRODUCTION = """
Made by `python benchmarks/study_methods.py` from [the result file](../../benchmarks/results/study_methods.json); the
study is [studies/methods.yaml](../../studies/methods.yaml). Means of three seeds; intervals and `*` (significant at
0.05 after Holm's correction over the 24 comparisons) from draws of pages and seeds, paired with labels alone. AURC and
ECE are after temperature scaling unless said otherwise. "Damaged" is the mean accuracy over eight kinds of damage at
five severities on 200 test pages; fidelity is the share of test pages on which student and teacher name the same class.

Read with care: the students are tiny, the pages 128 x 128 pixels, the regime (8 views, 16 epochs, a subset of the pages
for the students) one of many. Settings of the methods are their defaults; nothing was tuned on these pages.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    folder = parser.parse_args().study
    results = read_results(folder)
    places, table = places_of(results), means(folder)
    checks: tuple[Callable[[Table, Mapping[Any, Place]], dict[str, Any]], ...] = (
        simkd_is_most_accurate,
        response_is_best_calibrated,
        nkd_helps_random_starts,
        mse_is_weakest_under_shift,
    )
    teachers = {entry.name: entry.report() for entry in results.before}
    facts = {
        "study": "studies/methods.yaml",
        "cells": len({entry.key for entry in results.entries}),
        "done": len({entry.key for entry in results.entries if entry.status == "done"}),
        "claims": [*(check(table, places) for check in checks), larger_gap_hurts(table, results)],
        "teachers": {
            n: {k: round(s.value, 4) for k, s in r.scores.items()} for n, r in teachers.items() if r is not None
        },
        "places": places_facts(places),
        "means": {"/".join(at): rounded(values) for at, values in table.items()},
        "shifts": shift_facts(shifts_of(results)),
        "damage": {str(dict(t)): [rounded(asdict(one)) for one in damages_of(results, t)] for t in results.tables()},
        "agreement": {str(dict(t)): [asdict(one) for one in agreements_of(results, t)] for t in results.tables()},
    }
    print(write_result("study_methods", facts, seeds=list(results.seeds), software=["torch", "transformers", "numpy"]))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(facts), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
