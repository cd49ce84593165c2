"""Two arms of a study on the same pages: differences by seed and page, and settings chosen on the validation pages.

An arm is the list of its cells, one a seed; its accuracy is an array [S, 1 + R] of S seeds, on the test pages as they
are and on R draws of them, the same draws for every arm.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from verdicts import WORDS, t_test

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from measuring import ROOT, write_result

from distildoc.evaluate.table import PageTable
from distildoc.metrics import SCORES
from distildoc.metrics.bootstrap import percentiles
from distildoc.recipes.folder import RunFolder
from distildoc.study.results import Entry, Results, read_results
from distildoc.study.statistics import drawn_scores, over_seeds, p_value, places_of

DRAWS = 4000
Arms = Mapping[str, Sequence[Entry]]  # method -> cells, one a seed
Tables = Sequence[PageTable]  # of one arm, one a seed


def complete(results: Results) -> list[int]:
    """Seeds of which every cell is done."""
    missing = {entry.seed for entry in results.entries if entry.status != "done"}
    return [seed for seed in results.seeds if seed not in missing]


def arms_of(results: Results, **choices: str) -> dict[str, list[Entry]]:
    """Cells by method where the other axes are at `choices`, one a complete seed."""
    seeds = complete(results)
    places = {at: cells for at, cells in results.places.items() if choices.items() <= dict(at).items()}
    return {dict(at)["method"]: [one for one in cells if one.seed in seeds] for at, cells in places.items()}


def tables_of(entries: Sequence[Entry]) -> list[PageTable]:
    found = [entry.run.table() for entry in entries if entry.run is not None]
    return [table for table in found if table is not None]


def validated(entries: Sequence[Entry]) -> float:
    """Mean accuracy on the validation pages, where settings are chosen."""
    runs = [entry.run for entry in entries if entry.run is not None]
    return float(np.mean([run.record["stages"]["train"]["validation_accuracy"] for run in runs]))  # type: ignore[index,call-overload]


def minutes(*studies: Results) -> float:
    """Training of all runs of some studies together, those of searches among them, one after the other."""
    records = [path for one in studies for path in one.folder.glob("runs/*/run.json")]
    stages = [RunFolder(path.parent).stage("train") for path in records]
    return round(sum(float(stage["seconds"]) for stage in stages if stage is not None) / 60, 1)


def best_of(arms: Arms, names: Sequence[str]) -> str:
    """Of some methods, that with the highest mean accuracy on the validation pages."""
    return max(names, key=lambda name: validated(arms[name]))


def accuracy(tables: Tables, like: PageTable) -> np.ndarray:
    """Of every seed, on the pages as they are and on every draw of them, [S, 1 + R]."""
    return np.stack(
        [
            drawn_scores(table.like(like).outcomes, {"accuracy": SCORES["accuracy"]}, DRAWS)["accuracy"]
            for table in tables
        ]
    )


def estimate(values: np.ndarray) -> dict[str, Any]:
    drawn = over_seeds(values, resamples=DRAWS)
    low, high = percentiles(drawn[1:])
    seeds = [round(float(v), 4) for v in values[:, 0]]
    return {"value": round(float(drawn[0]), 4), "low": round(low, 4), "high": round(high, 4), "seeds": seeds}


def difference(ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    return tested(ours - theirs)


def tested(apart: np.ndarray) -> dict[str, Any]:
    """The estimate of a paired difference, and two tests of it against 0."""
    found = estimate(apart)
    return {
        **found,
        "p_bootstrap": round(p_value(over_seeds(apart, resamples=DRAWS)[1:]), 4),
        "p_t_test": t_test(apart[:, 0]),
        "seeds_ahead": int((apart[:, 0] > 0).sum()),
        "of": len(apart),
    }


def percent(one: Mapping[str, Any]) -> str:
    return f"{100 * one['value']:.1f} [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"


def claim_lines(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table of claims, a line a difference."""
    lines = ["| claim | points [95 %] | seeds ahead | p (t-test) | verdict |", "|---|--:|--:|--:|---|"]
    for claim in claims:
        told = WORDS[claim["holds"]]
        for number, (what, one) in enumerate(claim["ours"].items()):
            said = (claim["claim"], told) if number == 0 else ("", "")
            ahead = f"{one['seeds_ahead']} of {one['of']}"
            lines.append(f"| {said[0]} | {what}: {percent(one)} | {ahead} | {one['p_t_test']:.3f} | {said[1]} |")
    return lines


def parameters(entry: Entry) -> int:
    """Weights of the network."""
    return int((RunFolder(entry.folder).stage("train") or {})["parameters"])


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


def gains_of(results: Results, controls: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Of every place what it gained over labels alone; `controls` begin the names of arms that are no methods."""
    return [
        {**dict(at), "gains": {name: rounded(asdict(gain)) for name, gain in place.gains.items()}}
        for at, place in places_of(results).items()
        if not dict(at)["method"].startswith(controls)
    ]


def by_student(arms: Mapping[str, Arms], found: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Of several students, by name: their weights, and accuracies of every arm on validation and on test pages."""
    return {
        "students": {student: parameters(next(iter(own.values()))[0]) for student, own in arms.items()},
        "validation_accuracy": {
            student: {name: round(validated(cells), 4) for name, cells in own.items()} for student, own in arms.items()
        },
        "test_accuracy": {
            student: {name: estimate(values) for name, values in own.items()} for student, own in found.items()
        },
    }


def figures(
    results: Results, arms: Arms, found: Mapping[str, np.ndarray], *, controls: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What a study of one teacher and one student measured besides its claims; `controls` as in gains_of."""
    teacher = results.before[0]
    report = teacher.report()
    assert report is not None
    return {
        "teacher": {"accuracy": round(report.scores["accuracy"].value, 4), "parameters": parameters(teacher)},
        "student": parameters(arms["supervised"][0]),
        "validation_accuracy": {name: round(validated(own), 4) for name, own in arms.items()},
        "test_accuracy": {name: estimate(values) for name, values in found.items()},
        "places": gains_of(results, controls),
    }


def tried_lines(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    return ["What was tried:", "", *(f"- {claim['claim']}: {claim['tried']}." for claim in claims)]


def scored(results: Results) -> tuple[dict[str, list[Entry]], dict[str, np.ndarray], dict[str, Any]]:
    """The arms, their accuracies, and what a result file says of them and of the one teacher."""
    arms = arms_of(results)
    tables = {name: tables_of(cells) for name, cells in arms.items()}
    found = {name: accuracy(own, tables["supervised"][0]) for name, own in tables.items()}
    teacher = results.before[0].report()
    assert teacher is not None
    facts = {
        "teacher": round(teacher.scores["accuracy"].value, 4),
        "validation_accuracy": {name: round(validated(cells), 4) for name, cells in arms.items()},
        "test_accuracy": {name: estimate(values) for name, values in found.items()},
    }
    return arms, found, facts


def score_lines(facts: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """A table of the arms: title, accuracy on validation and on test pages."""
    lines = ["| method | validation % | test % [95 %] |", "|---|--:|--:|"]
    for name, title in names.items():
        chosen, tested = facts["validation_accuracy"][name], facts["test_accuracy"][name]
        lines.append(f"| {title} | {100 * chosen:.1f} | {percent(tested)} |")
    return lines


def main(
    doc: str,
    name: str,
    facts_of: Callable[..., dict[str, Any]],
    page: Callable[[Mapping[str, Any]], str],
    *,
    studies: Sequence[str] = ("study",),
    software: Sequence[str] = ("torch", "transformers", "numpy"),
) -> None:
    """Facts and page of the studies whose folders the command line names; the seeds are those of the first."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for study in studies:
        parser.add_argument(study, type=Path)
    given = vars(parser.parse_args())
    results = [read_results(given[study]) for study in studies]
    torch.set_num_threads(1)  # the last digits of what is fitted here depend on it
    facts, seeds = {**facts_of(*results), "training_minutes": minutes(*results)}, complete(results[0])
    print(write_result(f"systems/{name}", facts, seeds=seeds, software=software))
    out = ROOT / "docs" / "systems" / f"{name}.md"
    out.write_text(page({**facts, "seeds": seeds}), encoding="utf-8")
    print(out)
