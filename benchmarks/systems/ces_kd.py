"""CES-KD against its baselines and controls: the figures of a finished study, and a verdict for each claim.

    distildoc study run studies/systems/ces_kd.yaml
    python benchmarks/systems/ces_kd.py runs/ces_kd

Writes benchmarks/results/systems/ces_kd.json and docs/systems/ces_kd.md, which is made from it. Differences are paired
over seeds and pages and corrected by Holm over all arms; a claim holds where all of its differences are significant at
0.05, and in part where some are. Beside them: the accuracy of those who teach, of every arm on the validation pages,
and on the easy, middle and hard third of the test pages, as the large teacher finds them by -log p of the true class.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from ces_kd_order import order_lines
from measuring import ROOT, write_result
from paired import minutes, parameters, rounded, validated
from verdicts import WORDS, judged

from distildoc.study.formats import points
from distildoc.study.results import Entry, Results, read_results
from distildoc.study.statistics import Comparison, places_of

OURS = "ces_gradual"
PAGE = ROOT / "docs" / "systems" / "ces_kd.md"
CLAIMS = {
    "a curriculum of experts beats the large teacher alone": ("kd_large",),
    "it beats each assistant alone": ("kd_middle", "kd_small", "kd_chain_middle"),
    "it beats other ways to use several assistants, TAKD and DGKD": ("takd", "dgkd"),
    "the curriculum does the work: hard pages for small experts, or pages by chance, are worse": (
        "ces_reversed",
        "ces_random",
    ),
}
ARMS = {
    "supervised": "labels alone",
    "kd_large": "KD from the large teacher",
    "kd_middle": "KD from the middle assistant, which learnt from labels",
    "kd_small": "KD from the small assistant, which learnt from labels",
    "kd_chain_middle": "KD from the middle assistant of the chain",
    "takd": "TAKD: KD from the small assistant at the end of the chain",
    "dgkd": "DGKD: all three at once, one dropped a step",
    "ces_gradual": "CES-KD: one expert a page, easy to small, unlocked gradually",
    "ces_at_once": "the same without pacing (`t_full: 0`)",
    "ces_reversed": "control: hard pages to small experts",
    "ces_random": "control: pages to experts by chance",
}


def whole_seeds(results: Results) -> Results:
    """The seeds of which every arm is there."""
    missing = {entry.seed for entry in results.entries if entry.status != "done"}
    entries = tuple(entry for entry in results.entries if entry.seed not in missing)
    return replace(results, entries=entries, seeds=tuple(seed for seed in results.seeds if seed not in missing))


def differences(results: Results) -> dict[str, Comparison]:
    """CES-KD minus every other arm, in accuracy."""
    keys = {entry.seed: entry.key for entry in results.entries if entry.choice("method") == OURS}
    entries = tuple(
        replace(entry, baseline=None if entry.choice("method") == OURS else keys[entry.seed])
        for entry in results.entries
    )
    places = places_of(replace(results, entries=entries))
    found = {dict(at)["method"]: place.gains.get("accuracy") for at, place in places.items()}
    return {
        arm: replace(one, value=-one.value, low=-one.high, high=-one.low)
        for arm, one in found.items()
        if one is not None
    }


def thirds(entries: list[Entry], large: Entry) -> list[float]:
    """Mean over seeds of the accuracy on the easy, middle and hard third of the test pages."""
    judge = large.run and large.run.table()
    assert judge is not None
    outcomes = judge.outcomes
    order = np.argsort(-outcomes.probabilities[np.arange(len(outcomes)), outcomes.targets], kind="stable")
    right = []
    for entry in entries:
        table = entry.run and entry.run.table()
        assert table is not None
        seen = table.like(judge).outcomes
        right.append(seen.predicted == seen.targets)
    return [float(np.stack(right)[:, rows].mean()) for rows in np.array_split(order, 3)]


def told(one: Comparison) -> str:
    return f"{points(one.value)} [{points(one.low)}, {points(one.high)}]"


def claims(found: Mapping[str, Comparison], mean: float, tried: str) -> list[dict[str, Any]]:
    facts = []
    for claim, others in CLAIMS.items():
        held = [found[other].value > 0 and found[other].significant for other in others]
        below = any(found[other].value < 0 and found[other].significant for other in others)
        lines = ", ".join(f"{told(found[other])} points over {other}" for other in others)
        facts.append(
            {
                "claim": claim,
                "ours": f"accuracy {mean:.3f}; {lines}",
                "holds": judged(held, below),
                "tried": tried,
            }
        )
    return facts


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/ces_kd.md, all of it from the result file."""
    lines = ["# CES-KD: one expert a page", "", *INTRODUCTION.strip().splitlines(), ""]
    told = ", ".join(f"{n} {one['accuracy']:.3f} ({one['parameters']:,})" for n, one in facts["teachers"].items())
    lines += [f"Accuracy (and weights) of those who teach the student of {facts['student']:,} weights: {told}.", ""]
    lines += [
        "| arm | | accuracy [95 %] | CES-KD minus it, points | validation | easy | middle | hard |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for one in sorted(facts["places"], key=lambda place: [*ARMS].index(place["method"])):
        arm, acc = one["method"], one["scores"]["accuracy"]
        change = facts["differences"].get(arm)
        minus = ""
        if change is not None:
            star = "*" if change["p_holm"] < 0.05 else ""
            minus = f"{points(change['value'])}{star} [{points(change['low'])}, {points(change['high'])}]"
        shares = " | ".join(f"{share:.3f}" for share in (facts["validation"][arm], *facts["thirds"][arm]))
        score = f"{acc['value']:.3f} [{acc['low']:.3f}, {acc['high']:.3f}]"
        lines.append(f"| {arm} | {ARMS[arm]} | {score} | {minus} | {shares} |")
    lines += [
        "",
        f"Means of {len(facts['seeds'])} seeds; * is significant at 0.05 after Holm's correction. {THIRDS}",
        "",
    ]
    lines += [f"- {one['claim']}: **{WORDS[one['holds']]}**. {one['ours']}." for one in facts["claims"]]
    means = {place["method"]: place["scores"]["accuracy"]["value"] for place in facts["places"]}
    others = tuple(arm for compared in CLAIMS.values() for arm in compared)
    lines += ["", *order_lines(OURS, others, means, ARMS)]
    lines += [f"Tried: {facts['claims'][0]['tried']}.", "", *AGAIN.strip().splitlines(), ""]
    return "\n".join(lines)


INTRODUCTION = """
Made by `python benchmarks/systems/ces_kd.py` from [the result file](../../benchmarks/results/systems/ces_kd.json); the
study is [studies/systems/ces_kd.yaml](../../studies/systems/ces_kd.yaml), the method [ces_kd](../methods/ces_kd.md).

The claim (Amara et al. 2022, arXiv:2209.07606): where one expert of a chain is chosen for every image, easy images for
small ones and hard images for large ones, a student learns more than from its teacher or from other ways to use
assistants. Only the abstract could be read: difficulty, strata and pacing are ours, and its numbers are not compared.

Here: generated pages of 16 classes at 32 x 32 pixels. The student learns from 640 of them in four noisy views each,
those who teach it from 1,920; all arms but the labels alone weigh labels 0.3 and distillation 0.7 at temperature 4.
A second try, with a smaller student, is on [its own page](ces_kd_more.md).
"""
THIRDS = (
    "Easy, middle and hard are accuracies on thirds of the test pages, as the large teacher finds them. A claim holds "
    "where all of its differences are significant, and in part where some are."
)
TRIED = (
    "temperature, weights and pacing as proposed before any run, and one other pacing (ces_at_once); the "
    "student's size and epochs were chosen by labels alone on validation pages, so that they leave room; nothing was "
    "chosen on test pages. The ratio of the student's size to the teacher's was not varied"
)
AGAIN = """
The four arms of CES-KD ran again when every noisy view of a page came to be ranked by itself. Before, all views had the
rank of the first, and the means were: `ces_gradual` 51.0 %, `ces_at_once` 48.6 %, `ces_reversed` 50.5 %, `ces_random`
51.5 %. The other arms are as they were. A [third try](ces_kd_tuned.md) tunes difficulty and pacing.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    results = whole_seeds(read_results(parser.parse_args().study))
    places, found = places_of(results), differences(results)
    before = {entry.name: entry for entry in results.before}
    teachers = {
        name: {"accuracy": report.scores["accuracy"].value, "parameters": parameters(entry)}
        for name, entry in before.items()
        if (report := entry.report()) is not None
    }
    ours = next(place for at, place in places.items() if dict(at)["method"] == OURS)
    facts = {
        "study": "studies/systems/ces_kd.yaml",
        "training_minutes": minutes(results),
        "claims": claims(found, ours.scores["accuracy"].value, TRIED),
        "teachers": {name: rounded(one) for name, one in teachers.items()},
        "student": parameters(results.entries[0]),
        "differences": {arm: rounded(asdict(one)) for arm, one in found.items()},
        "validation": {dict(at)["method"]: round(validated(entries), 4) for at, entries in results.places.items()},
        "thirds": {
            dict(at)["method"]: [round(share, 4) for share in thirds(entries, before["large"])]
            for at, entries in results.places.items()
        },
        "places": [
            {
                **dict(at),
                "scores": {name: rounded(asdict(one)) for name, one in place.scores.items()},
                "gains": {name: rounded(asdict(one)) for name, one in place.gains.items()},
            }
            for at, place in places.items()
        ],
    }
    print(write_result("systems/ces_kd", facts, seeds=list(results.seeds), software=["torch", "transformers", "numpy"]))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page({**facts, "seeds": results.seeds}), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
