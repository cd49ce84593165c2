"""DiffKD's claims held against a finished study: accuracy, and whether denoising brings held-out features nearer.

    DISTILDOC_DATA=... distildoc study run studies/systems/diffkd.yaml
    DISTILDOC_DATA=... python benchmarks/systems/diffkd.py runs/diffkd              (1 minute)

Differences of accuracy are paired over pages and seeds, which are both drawn with replacement. Features are those of
all 374 test pages (diffkd_features.py). Writes benchmarks/results/systems/diffkd.json and docs/systems/diffkd.md.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffkd_features import Floats, Trained, denoising

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from measuring import ROOT, write_result
from paired import minutes, rounded
from verdicts import WORDS, less, t_test, verdict

from distildoc.core.model import parameter_count
from distildoc.metrics import SCORES
from distildoc.metrics.bootstrap import percentiles
from distildoc.models.load import load_model
from distildoc.study.results import Entry, Results, read_results
from distildoc.study.statistics import drawn_scores, over_seeds, p_value, places_of

PAIRS = (
    ("diffkd_map", "mse_map"),
    ("diffkd", "supervised"),
    ("diffkd", "kd"),
    ("diffkd_map", "no_adapter_map"),
    ("diffkd_map", "no_code_map"),
)
SHOWN = ("mse_map", "diffkd_map", "diffkd", "no_adapter_map", "no_code_map")  # whose features are looked at
MARKS = {"r of step": "behind r", "step": "before r"}  # cosines of the steps, where they are looked at
DRAWS = 4000  # bootstrap samples
Claim = tuple[str, str, bool | str]  # in words, what was found, the verdict


def estimate(values: Floats) -> dict[str, float]:
    """Mean over seeds and pages [S, P], with a 95 % interval from draws of both."""
    pages = values.shape[1]
    counts = np.random.default_rng(0).multinomial(pages, np.full(pages, 1 / pages), size=DRAWS) / pages
    drawn = over_seeds(np.concatenate([values.mean(1)[:, None], values @ counts.T], 1), resamples=DRAWS)
    low, high = percentiles(drawn[1:])
    return {"mean": round(float(drawn[0]), 4), "low": round(low, 4), "high": round(high, 4)}


def difference(values: Floats) -> dict[str, float]:
    """The estimate of a paired difference [S, P], and p of a t-test over its seeds."""
    return {**estimate(values), "p_t_test": t_test(values.mean(1))}


def accuracy_gain(results: Results, one: str, other: str) -> dict[str, Any]:
    """How much more accurate one method is than another, paired over seeds and pages; no correction for several."""
    drawn = [
        [drawn_scores(table_of(entry).outcomes, {"accuracy": SCORES["accuracy"]}, DRAWS)["accuracy"] for entry in side]
        for side in (cells(results, one), cells(results, other))
    ]
    differences = np.stack(drawn[0]) - np.stack(drawn[1])
    values = over_seeds(differences, resamples=DRAWS)
    low, high = percentiles(values[1:])
    agree = int((np.sign(differences[:, 0]) == np.sign(values[0])).sum())
    found = {"mean": float(values[0]), "low": low, "high": high, "p": p_value(values[1:])}
    found["p_t_test"] = t_test(differences[:, 0])
    return {"better": one, "than": other, **{k: round(v, 4) for k, v in found.items()}, "seeds_that_agree": agree}


def whole_seeds(results: Results) -> list[int]:
    """Seeds of which every cell is done."""
    return [seed for seed in results.seeds if all(e.status == "done" for e in results.entries if e.seed == seed)]


def cells(results: Results, method: str) -> list[Entry]:
    entries = next(entries for at, entries in results.places.items() if dict(at)["method"] == method)
    return [entry for entry in entries if entry.seed in whole_seeds(results)]


def table_of(entry: Entry) -> Any:
    assert entry.run is not None
    table = entry.run.table()
    assert table is not None
    return table


def measured(results: Results, method: str) -> dict[str, dict[str, float]]:
    """Every number of `denoising` over the seeds, and the differences that the claims are about."""
    runs = [denoising(Trained(entry.folder)) for entry in cells(results, method)]
    every = {name: np.stack([run[name] for run in runs]) for name in runs[0]}
    found = {name: estimate(values) for name, values in every.items()}
    found["ready to linear: error"] = difference(every["ready: error"] - every["linear: error"])
    for mark in ("step", "r of step"):
        steps = [name for name in every if name.startswith(mark) and name.endswith("cosine")]
        steps += ["ready: cosine"] if mark == "r of step" and steps else []
        for before, after in itertools.pairwise(steps):
            found[f"{before.split(':')[0]} to {after.split(':')[0]}: cosine"] = difference(every[after] - every[before])
    return found


TRIED = "the paper's weights and steps alone; nothing was tuned"


def claims(
    gains: Sequence[Mapping[str, Any]], spots: Mapping[str, Mapping[str, Any]], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    found = [*of_accuracy(gains, len(seeds)), *of_features(spots["diffkd_map"])]
    return [{"claim": claim, "ours": ours, "holds": holds, "tried": TRIED} for claim, ours, holds in found]


def of_accuracy(gains: Sequence[Mapping[str, Any]], seeds: int) -> list[Claim]:
    plain, labels, kd, adapter, code = (
        next(one for one in gains if (one["better"], one["than"]) == pair) for pair in PAIRS
    )
    return [
        (
            "Denoising before comparing beats plain MSE with the same adapters",
            f"on the map {shown(plain)}, of that sign in {plain['seeds_that_agree']} of {seeds} seeds",
            verdict(plain),
        ),
        (
            "DiffKD beats labels alone and vanilla KD",
            f"labels {shown(labels)}; KD at temperature 1 {shown(kd)}",
            verdict(labels, kd),
        ),
        (
            "The noise adapter and the auto-encoder each help",
            f"adapter {shown(adapter)}; auto-encoder {shown(code)}",
            verdict(adapter, code),
        ),
    ]


def of_features(spots: Mapping[str, Any]) -> list[Claim]:
    near = spots["ready to linear: error"]
    errors = [spots[f"{stage}: error"]["mean"] for stage in ("ready", "linear")]
    rises = {mark: [one for name, one in spots.items() if name.startswith(mark) and " to " in name] for mark in MARKS}
    return [
        (
            "Denoised features of held-out pages are nearer to the teacher's than adapters alone bring them",
            f"squared error {errors[0]:.3f} against {errors[1]:.3f} of the best linear map, {ranged(near)}, "
            "with the predictor's layers besides",
            verdict(less(near)),
        ),
        (
            "Cosine to the teacher rises with every step of denoising",
            "; ".join(
                f"{where} {spots[f'{mark} 1: cosine']['mean']:.3f} at first, then {', '.join(map(ranged, each))}"
                for (mark, where), each in zip(MARKS.items(), rises.values(), strict=True)
            ),
            verdict(*(one for each in rises.values() for one in each)),
        ),
    ]


def shown(gain: Mapping[str, Any]) -> str:
    return f"{100 * gain['mean']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}] points"


def ranged(one: Mapping[str, float]) -> str:
    return f"{one['mean']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/diffkd.md, all of its numbers from the result file."""
    lines = ["# DiffKD: does denoising help, or its adapters?", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += ["| claim | ours | |", "|---|---|---|"]
    lines += [f"| {one['claim']} | {one['ours']} | {WORDS[one['holds']]} |" for one in facts["claims"]]
    lines += [
        "",
        f"Teacher: accuracy {facts['teacher']['accuracy']:.3f}, {facts['weights']['teacher']:,} weights. "
        f"Students: {facts['weights']['supervised']:,} weights, with DiffKD {facts['weights']['diffkd']:,}.",
        "",
    ]
    lines += ["| method | accuracy [95 %] |", "|---|--:|"]
    lines += [
        f"| {name} | {one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}] |"
        for name, one in facts["accuracy"].items()
    ]
    lines += ["", f"On the way to the teacher's code, 374 test pages, means of {len(facts['seeds'])} seeds:", ""]
    stages = [name.split(":")[0] for name in facts["features"]["diffkd_map"] if name.endswith(": error")]
    stages = [stage for stage in stages if " to " not in stage]
    lines += [
        "| stage | " + " | ".join(f"{m}: error, cosine" for m in SHOWN) + " |",
        "|---|" + "--:|" * len(SHOWN),
    ]
    for stage in stages:
        told = [told_of(facts["features"][method], stage) for method in SHOWN]
        lines.append(f"| {stage} | " + " | ".join(told) + " |")
    return "\n".join([*lines, "", *READING.strip().splitlines(), ""])


def told_of(found: Mapping[str, Any], stage: str) -> str:
    """Error and cosine at a stage, which a method without denoising may not have."""
    if f"{stage}: error" not in found:
        return "–"
    return f"{found[f'{stage}: error']['mean']:.3f}, {found[f'{stage}: cosine']['mean']:.3f}"


INTRODUCTION = """
Made by `python benchmarks/systems/diffkd.py` from [the result file](../../benchmarks/results/systems/diffkd.json); the
study is [studies/systems/diffkd.yaml](../../studies/systems/diffkd.yaml), the method [diffkd](../methods/diffkd.md).
Real pages of five classes at 64 x 64 pixels; the teacher learns from 1,571, the students from 500, for 24 epochs, 360
steps; the model is that of the last epoch. `diffkd` compares the last map and the logits, `_map` the map alone;
`mse_map` has the same adapters, auto-encoder and weights as `diffkd_map` and no denoising. Differences are paired over
pages and seeds, with 95 % intervals.
"""
READING = """
`entered` is the student's code before any step, `ready` what L_kd compares, `linear` the best linear map from the
student's features to the code, fitted on the training pages: what both adapters could do without denoising. `teacher,
noised` is the teacher's own code with the noise of the first time, scaled back; below it the same after denoising. An
error of 1 is that of the mean, where codes are normalised; `no_code_map` compares features as they are.

The steps bring the teacher's own noised codes nearer, though after 360 steps of training not within the error of the
mean. Before r the student's code does not lie where the predictor expects codes, since nothing but L_kd behind r asks
for it: its cosine is near 0 all the way. Behind r, which is linear, the first steps bring it nearer and the last ones
change next to nothing; r was trained for the last step. The predictor has layers that a linear map has not, so the
smaller error is no proof that it is denoising. Nothing was tuned: the weights are the paper's, in a regime far from its
own (ImageNet, 100 epochs), and the test pages are too few to tell small gains from none. A second try, with longer
training and more test pages, is on [its own page](diffkd_more.md), and one of the adapter and the auto-encoder on
[another](diffkd_parts.md).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    results = read_results(parser.parse_args().study)
    seeds = whole_seeds(results)
    torch.set_num_threads(1)
    places = places_of(results)
    gains = [accuracy_gain(results, *pair) for pair in PAIRS]
    features = {method: measured(results, method) for method in SHOWN}
    teacher = results.before[0]
    report = teacher.report()
    assert report is not None
    folders = {"teacher": teacher.folder, **{m: cells(results, m)[0].folder for m in ("supervised", "diffkd")}}
    facts = {
        "study": "studies/systems/diffkd.yaml",
        "training_minutes": minutes(results),
        "claims": claims(gains, features, seeds),
        "teacher": {name: round(score.value, 4) for name, score in report.scores.items()},
        "weights": {name: parameter_count(load_model(folder / "model")) for name, folder in folders.items()},
        "accuracy": {dict(at)["method"]: rounded(asdict(p.scores["accuracy"])) for at, p in places.items()},
        "places": [
            {**dict(at), "gains": {name: rounded(asdict(gain)) for name, gain in place.gains.items()}}
            for at, place in places.items()
            if dict(at)["method"] in ("kd", "diffkd", "diffkd_map")  # the others are controls, no methods
        ],
        "gains": gains,
        "features": features,
    }
    path = write_result("systems/diffkd", facts, seeds=seeds, software=["torch", "numpy"])
    print(path)
    out = ROOT / "docs" / "systems" / "diffkd.md"
    out.parent.mkdir(exist_ok=True)
    out.write_text(page(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    print(out)


if __name__ == "__main__":
    main()
