"""'Knowledge Distillation Beyond Model Compression' (arXiv:2007.01922) held against the finished studies.

    DISTILDOC_DATA=... distildoc study run studies/systems/beyond_weights.yaml
    DISTILDOC_DATA=... distildoc study run studies/systems/beyond.yaml
    DISTILDOC_DATA=... distildoc study run studies/systems/beyond_stopped.yaml
    distildoc corpus make runs/corpus --pages 6000 --seed 3
    python benchmarks/systems/beyond.py runs runs/corpus              (3 minutes)

Writes benchmarks/results/systems/beyond.json, docs/systems/beyond.md and beyond.png. Gains over labels alone are paired
over seeds and test pages; p-values are corrected for all comparisons on an axis (Holm). Axes: beyond_axes.py.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from beyond_axes import (
    ATTACK,
    DAMAGED_PAGES,
    DRAWS,
    PROBE_PAGES,
    SEVERITY,
    Drawn,
    Exams,
    accuracy_on,
    beyond_accuracy,
    exams_of,
    on_test_pages,
    unseen_pages,
)
from beyond_claims import BASE, Draws, Place, claims_of, estimate
from beyond_page import draw, page
from measuring import ROOT, write_result
from paired import minutes

from distildoc.core.model import Model
from distildoc.metrics.outcomes import Floats
from distildoc.models.load import load_model
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import listed_pages
from distildoc.study.results import Entry, Results, read_results
from distildoc.study.statistics import holm, over_seeds, p_value

PAGE = ROOT / "docs" / "systems" / "beyond.md"
LOWER_IS_BETTER = ("ece",)
STUDIES = ("beyond", "beyond_stopped", "beyond_weights")


def place(entry: Entry) -> Place:
    return entry.choice("pages"), entry.choice("teacher"), entry.choice("method")


def model_of(entry: Entry) -> Model:
    return load_model(RunFolder(entry.folder).model)


def rarest(results: Results) -> list[str]:
    """The two classes with fewest training pages on the imbalanced pages."""
    folder = next(entry.folder for entry in results.entries if place(entry) == ("imbalance50", "own", BASE))
    counts = listed_pages(RunFolder(folder).config().data)[0].counts()
    return sorted(counts, key=lambda label: counts[label])[:2]


def measured(entry: Entry, exams: Exams, tail: Sequence[str]) -> Drawn:
    """All scores of a student; raises SystemExit where it was not scored as its run says."""
    model = model_of(entry)
    found, drawn = on_test_pages(model, exams)
    report = entry.report()
    if report is None or abs(report.scores["accuracy"].value - drawn["accuracy"][0]) > 1e-9:
        raise SystemExit(f"{entry.folder}: not the accuracy that its run tells; run the study to its end")
    if place(entry)[0] == "clean":
        drawn |= beyond_accuracy(model, exams)
    if place(entry)[0] == "imbalance50":
        drawn["rarest_two"] = accuracy_on(found, [exams.labels.index(name) for name in tail])
    return drawn


def all_measured(entries: Sequence[Entry], exams: Exams, tail: Sequence[str]) -> Draws:
    """Of every place and score the values of all seeds, [S, 1 + R]; runs that stand at two places are scored once."""
    by_key: dict[str, Drawn] = {}
    found: dict[Place, list[Drawn]] = {}
    for entry in entries:
        if entry.key not in by_key:
            by_key[entry.key] = measured(entry, exams, tail)
            print(f"\r{len(by_key)} students", end="", file=sys.stderr, flush=True)
        found.setdefault(place(entry), []).append(by_key[entry.key])
    print(file=sys.stderr)
    return {at: {name: np.stack([one[name] for one in some]) for name in some[0]} for at, some in found.items()}


def compared(ours: Floats, base: Floats, *, lower: bool) -> dict[str, float]:
    """Gain over the baseline, above 0 where it is better; p before the correction, and how many seeds agree."""
    gain = base - ours if lower else ours - base
    drawn = over_seeds(gain, resamples=DRAWS)
    agree = int((np.sign(gain[:, 0]) == np.sign(drawn[0])).sum())
    return {**estimate(gain), "p": round(p_value(drawn[1:]), 5), "agree": agree}


def rows_of(draws: Draws) -> list[dict[str, Any]]:
    """A row a place; with gains over labels alone on the same pages, corrected over the rows of a kind of pages."""
    rows: list[dict[str, Any]] = []
    for (pages, teacher, method), scores in draws.items():
        base = draws[pages, "own", BASE]
        row: dict[str, Any] = {"pages": pages, "teacher": teacher, "method": method}
        row["scores"] = {name: estimate(values) for name, values in scores.items()}
        row["gains"] = {
            name: compared(values, base[name], lower=name in LOWER_IS_BETTER)
            for name, values in scores.items()
            if method != BASE
        }
        if (method, teacher) != (BASE, "clean"):  # the same runs as those beside the other teacher
            rows.append(row)
    for pages in dict.fromkeys(row["pages"] for row in rows):
        family = [row["gains"] for row in rows if row["pages"] == pages and row["gains"]]
        for name in family[0]:
            for gain, p in zip(family, holm([gain[name]["p"] for gain in family]), strict=True):
                gain[name]["p_holm"] = round(p, 5)
    return rows


def weights_of(results: Results) -> dict[str, dict[str, float]]:
    """Of every method the mean accuracy on validation pages by weight."""
    found: dict[str, dict[str, list[float]]] = {}
    for entry in results.entries:
        assert entry.run is not None
        method, _, weight = entry.choice("method").partition("_")
        found.setdefault(method, {}).setdefault(weight, []).append(entry.run.history[-1][1])
    return {name: {w: round(float(np.mean(values)), 4) for w, values in by.items()} for name, by in found.items()}


def facts_of(results: Results, stopped: Results, weights: Results, corpus: Path) -> dict[str, Any]:
    config = RunFolder(results.entries[0].folder).config()
    labels = model_of(results.entries[0]).labels
    exams, tail = exams_of(config, labels, unseen_pages(corpus, labels)), rarest(results)
    entries = [*results.entries, *stopped.entries]
    draws = all_measured(entries, exams, tail)
    teachers = {entry.name: entry.report() for entry in (*results.before, *stopped.before)}
    validation = weights_of(weights)
    return {
        "studies": [f"studies/systems/{name}.yaml" for name in STUDIES],
        "training_minutes": minutes(results, stopped, weights),
        "runs": len({entry.key for entry in entries}),
        "pages": {
            "test": sum(len(batch) for batch in exams.test),
            "damaged": DAMAGED_PAGES,
            "probe": {split: count * len(exams.unseen) for split, count in PROBE_PAGES.items()},
        },
        "severity": SEVERITY,
        "attack": {"name": ATTACK.name, "epsilon": ATTACK.epsilon},
        "classes_of_the_probe": list(exams.unseen),
        "rarest": tail,
        "weights": {
            "seeds": list(weights.seeds),
            "validation": validation,
            "chosen": {name: max(by, key=lambda w: by[w]) for name, by in validation.items() if len(by) > 1},
        },
        "claims": claims_of(draws),
        "teachers": {name: round(r.scores["accuracy"].value, 4) for name, r in teachers.items() if r is not None},
        "rows": rows_of(draws),
    }


def finished(folder: Path) -> Results:
    """A study; raises SystemExit where a run of it is not done."""
    results = read_results(folder)
    missing = sum(entry.status != "done" for entry in results.entries)
    if missing:
        raise SystemExit(f"{folder}: {missing} runs are not done; run the study to its end")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help=f"folder of the studies {', '.join(STUDIES)}")
    parser.add_argument("corpus", type=Path, help="generated pages, for other classes")
    given = parser.parse_args()
    results, stopped, weights = (finished(given.runs / name) for name in STUDIES)
    facts = facts_of(results, stopped, weights, given.corpus)
    seeds = list(results.seeds)
    print(write_result("systems/beyond", facts, seeds=seeds, software=["torch", "transformers", "numpy"]))
    draw(facts, PAGE.with_suffix(".png"))
    PAGE.write_text(page({**facts, "seeds": seeds}), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
