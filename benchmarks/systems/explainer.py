"""KDExplainer and virtual attention: two studies as one result file, and the paper's claims held against them.

    distildoc study run studies/systems/explainer.yaml
    distildoc study run studies/systems/vam.yaml
    python benchmarks/systems/explainer.py runs/explainer runs/vam        (1 minute)

Writes benchmarks/results/systems/explainer.json, docs/systems/explainer.md and the tree of the first student with KD as
docs/systems/explainer_tree.png. Gate entropies are in nats, means over the children of all gates: of q, the gates at
temperature 1 after training (what decides), and of d, the annealed gates, averaged over training as recorded.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student_t

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from measuring import ROOT, write_result
from paired import minutes, rounded
from verdicts import LEVEL, WORDS, judged, less, t_test, verdict

from distildoc.core.model import parameter_count
from distildoc.data.pageset import some
from distildoc.data.readers.corpus import read as read_corpus
from distildoc.evaluate.plots import write_figure
from distildoc.evaluate.tree import tree_figure
from distildoc.losses.routing import row_entropy
from distildoc.methods.vam import fits, layers_of
from distildoc.models.build import build_model
from distildoc.models.experts import Gate, gates_of
from distildoc.models.load import load_model
from distildoc.recipes.folder import RunFolder
from distildoc.study.results import Entry, Results, read_results
from distildoc.study.statistics import places_of
from distildoc.train.records import read_records

ARMS = ("supervised", "smoothing", "kd")
PERMUTATIONS = 10_000
PAGES = 640  # validation pages at most, for what the classes look like and what the teacher confuses
BLOCKS = 4  # of virtual attention, both ways: the default
PAGE = ROOT / "docs" / "systems" / "explainer.md"
Numbers = NDArray[np.float64]


def arm(results: Results, name: str) -> list[Entry]:
    return [e for e in results.entries if e.choice("method") == name and e.status == "done"]


def gates_at(entry: Entry) -> list[Gate]:
    return gates_of(load_model(entry.folder / "model"))


def untrained(entry: Entry) -> list[Gate]:
    """The gates that a run began with."""
    made, sizes = load_model(entry.folder / "model"), RunFolder(entry.folder).config().model.settings
    known = {"labels": made.labels, "size": made.normalise.size, "channels": 1, "seed": entry.seed}
    return gates_of(build_model("hme", **known, **sizes))


def accuracies(results: Results, name: str) -> list[float]:
    return [report.scores["accuracy"].value for e in arm(results, name) if (report := e.report()) is not None]


def own_entropy(gates: Sequence[Gate]) -> float:
    """Of q, mean over all children; a loaded gate has temperature 1."""
    with torch.no_grad():
        return float(torch.cat([row_entropy(gate.scores) for gate in gates]).mean())


def recorded_entropy(entry: Entry) -> float:
    """Of d, mean over the steps of the training."""
    found = [one for one in read_records(entry.folder / "records.jsonl") if one["kind"] == "train"]
    steps = np.diff([0, *[one["step"] for one in found]])
    return float(np.average([one["losses"]["gates"] for one in found], weights=steps))


def interval(values: Sequence[float]) -> dict[str, float]:
    """Mean over seeds and its 95 % interval by Student's t."""
    mean, count = float(np.mean(values)), len(values)
    half = float(student_t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    numbers = {"value": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}
    return {**numbers, "p_t_test": t_test(values), "seeds": count}


def ahead(results: Results, one: str, other: str) -> dict[str, float]:
    """How much more accurate one arm is than another, over seeds."""
    return interval(np.subtract(accuracies(results, one), accuracies(results, other)).tolist())


def entropies(results: Results) -> dict[str, Any]:
    """By arm, and differences of arms of which the first should be lower, paired by seed."""
    found = {
        name: {
            "q": [own_entropy(gates_at(e)) for e in arm(results, name)],
            "d": [recorded_entropy(e) for e in arm(results, name)],
            "accuracy": accuracies(results, name),
        }
        for name in ARMS
    }
    return {
        "untrained": interval([own_entropy(untrained(e)) for e in arm(results, "kd")]),
        "arms": {name: {key: interval(values) for key, values in one.items()} for name, one in found.items()},
        "differences": {
            f"{one} - {other}": {
                key: interval(np.subtract(found[one][key], found[other][key]).tolist()) for key in ("q", "d")
            }
            for one, other in (("kd", "supervised"), ("kd", "smoothing"), ("smoothing", "supervised"))
        },
    }


def likeness(teacher: Entry) -> dict[str, Numbers]:
    """How alike the classes are, [C, C]: correlation of their mean pages, and what the teacher takes for each other."""
    model = load_model(teacher.folder / "model")
    pages = some(read_corpus(path="runs/corpus", split="val"), PAGES, seed=0)
    drawn = [np.asarray(p.load(125).convert("L").resize((32, 32)), np.float32) / 255 for p in pages.pages]
    pixels = torch.from_numpy(np.stack(drawn))[:, None].repeat(1, 3, 1, 1)
    with torch.no_grad():
        said = model(pixels)["logits"].softmax(-1).double().numpy()
    of = np.array([model.labels.index(str(page.label)) for page in pages.pages])
    classes = range(len(model.labels))
    means = np.stack([np.stack(drawn)[of == c].mean(0).ravel() for c in classes])
    soft = np.stack([said[of == c].mean(0) for c in classes])
    return {"mean pages": np.corrcoef(means), "teacher": (soft + soft.T) / 2}


def shared(parents: Sequence[NDArray[np.int64]], alike: Numbers) -> dict[str, float]:
    """Mean likeness of pairs of classes with one parent, and how often a random order of classes has as much.

    parents  of the classes, of each student; each gets its own random order. One-sided.
    """
    pairs = np.triu_indices(len(alike), 1)
    together = [one[pairs[0]] == one[pairs[1]] for one in parents]
    draw = np.random.default_rng(0)

    def score(orders: Sequence[NDArray[np.int64]]) -> float:
        values = [alike[np.ix_(o, o)][pairs] for o in orders]
        return float(np.mean([v[t].mean() for v, t in zip(values, together, strict=True) if t.any()]))

    observed = score([np.arange(len(alike))] * len(parents))
    null = [score([draw.permutation(len(alike)) for _ in parents]) for _ in range(PERMUTATIONS)]
    p = (1 + sum(value >= observed - 1e-12 for value in null)) / (1 + PERMUTATIONS)
    return {"together": round(observed, 4), "by_chance": round(float(np.mean(null)), 4), "p": round(p, 4)}


def sharing(results: Results) -> dict[str, Any]:
    alike = likeness(results.before[0])
    trees = {"untrained": [untrained(e)[-1].parents.numpy() for e in arm(results, "kd")]}
    trees |= {name: [gates_at(e)[-1].parents.numpy() for e in arm(results, name)] for name in ARMS}
    return {name: {what: shared(one, matrix) for what, matrix in alike.items()} for name, one in trees.items()}


def attention(results: Results) -> dict[str, Any]:
    """Gains over KD; the weight of the entropy is chosen on the validation pages."""
    places = {dict(at)["method"]: place for at, place in places_of(results).items()}
    validated = {
        name: float(np.mean([e.run.record["stages"]["train"]["validation_accuracy"] for e in arm(results, name)]))  # type: ignore[union-attr]
        for name in places
    }
    plain = load_model(arm(results, "kd")[0].folder / "model")
    chosen = max((name for name in places if "entropy" in name), key=lambda name: validated[name])
    layers = sum(fits(layer, BLOCKS, BLOCKS) for layer in layers_of(plain.body))
    weights = parameter_count(plain)
    return {
        "validation_accuracy": {name: round(value, 4) for name, value in validated.items()},
        "chosen": chosen,
        "chosen_to_vam": ahead(results, chosen, "vam"),
        "accuracy": {name: rounded(asdict(place.scores["accuracy"])) for name, place in places.items()},
        "gains": {
            name: {**rounded(asdict(place.gains["accuracy"])), "p_t_test": ahead(results, name, "kd")["p_t_test"]}
            for name, place in places.items()
            if "accuracy" in place.gains
        },
        "layers": layers,
        "weights": weights,
        "extra_weights_while_training": layers * BLOCKS**2,
        "extra_share": round(layers * BLOCKS**2 / weights, 5),
        "extra_weights_saved": sum(p.numel() for p in load_model(arm(results, "vam")[0].folder / "model").parameters())
        - weights,
    }


def claims(trees: Mapping[str, Any], parents: Mapping[str, Any], vam: Mapping[str, Any]) -> list[dict[str, Any]]:
    lower = {name: one["q"] for name, one in trees["differences"].items()}
    gains = {name: vam["gains"][name] for name in ("vam", vam["chosen"])}
    chance = parents["kd"]
    return [
        {
            "claim": "Entropy of the gates: KD below label smoothing, and that below labels alone",
            "ours": trees["differences"],
            "holds": verdict(*map(less, lower.values())),
            "tried": "one setting and length of training, the same annealing for all, judged by q; gates hardly moved "
            f"(untrained {trees['untrained']['value']:.3f}, KD {trees['arms']['kd']['q']['value']:.3f})",
        },
        {
            "claim": "Similar classes share parents more often than chance (students with KD)",
            "ours": chance,
            "holds": judged([one["p"] < LEVEL for one in chance.values()]),
            "tried": "two kinds of likeness, both reported; by mean pages it holds, and just as well for students that "
            f"learn from labels alone (p = {parents['supervised']['mean pages']['p']:.4f})",
        },
        {
            "claim": "Virtual attention adds to KD, and more with its entropy term",
            "ours": {**gains, "chosen - vam": vam["chosen_to_vam"], "extra_share": vam["extra_share"]},
            "holds": verdict(*gains.values(), vam["chosen_to_vam"]),
            "tried": f"two weights of the entropy, 0.01 and 0.1; validation pages chose {vam['chosen']}",
        },
    ]


def told(one: Mapping[str, float], scale: float = 1.0, digits: int = 3) -> str:
    return f"{scale * one['value']:.{digits}f} [{scale * one['low']:.{digits}f}, {scale * one['high']:.{digits}f}]"


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/explainer.md, all of it from the result file."""
    trees, vam = facts["trees"], facts["vam"]
    lines = ["# KDExplainer and virtual attention", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += ["| learns from | entropy of q | entropy of d | accuracy of the tree |", "|---|--:|--:|--:|"]
    lines += [f"| nothing: untrained | {told(trees['untrained'])} | | |"]
    lines += [f"| {n} | {told(o['q'])} | {told(o['d'])} | {told(o['accuracy'])} |" for n, o in trees["arms"].items()]
    for name, one in trees["differences"].items():
        lines += ["", f"{name}, paired by seed: q {told(one['q'])}, d {told(one['d'])}."]
    lines += ["", "| learns from | likeness of classes by | with one parent | by chance | p |", "|---|---|--:|--:|--:|"]
    lines += [
        f"| {name} | {what} | {one['together']:.3f} | {one['by_chance']:.3f} | {one['p']:.4f} |"
        for name, found in facts["parents"].items()
        for what, one in found.items()
    ]
    lines += ["", "![The tree of the first student with KD](explainer_tree.png)", ""]
    lines += ["| student | accuracy | points to KD | p (Holm) | validation |", "|---|--:|--:|--:|--:|"]
    for name, one in vam["accuracy"].items():
        gain = vam["gains"].get(name)
        more = f"{told(gain, 100, 2)} | {gain['p_holm']:.3f}" if gain else "|"
        lines.append(f"| {name} | {told(one)} | {more} | {vam['validation_accuracy'][name]:.3f} |")
    lines += [
        "",
        f"Virtual attention in {vam['layers']} layers: {vam['extra_weights_while_training']} more weights in training "
        f"({100 * vam['extra_share']:.2f} % of {vam['weights']:,}), {vam['extra_weights_saved']} in the saved student.",
        "",
        "## Verdicts",
        "",
    ]
    lines += [f"- **{one['claim']}**: {WORDS[one['holds']]}. Tried: {one['tried']}." for one in facts["claims"]]
    return "\n".join(lines) + "\n"


INTRODUCTION = """
Made by `python benchmarks/systems/explainer.py` from [the result
file](../../benchmarks/results/systems/explainer.json); the studies are
[explainer.yaml](../../studies/systems/explainer.yaml) and [vam.yaml](../../studies/systems/vam.yaml).

Xue et al. 2021 ([arXiv:2105.04181](https://arxiv.org/abs/2105.04181)) claim that soft labels help because they lower
the entropy of the gates of a mixture of experts, which label smoothing does not, and that virtual attention brings
this to any network, for a gain over KD below one point. Here: 16 classes of generated pages at 32 x 32 pixels, 40
pages a class for the students, a `cnn-tiny` teacher of all 4,800. The mixture has 2 and 4 blocks and three seeds (gates
and trees); the student of the second study is a `cnn-micro` with five (virtual attention). Entropies in nats, means
over children and seeds with 95 % intervals by Student's t; accuracies of the second study with the study's own
intervals over seeds and pages. q are the gates at temperature 1 after training, which decide; d the annealed gates,
averaged over training. Likeness of classes: correlation of their mean pages, or how much probability the teacher gives
one for the other, on validation pages; p from 10,000 permutations of the classes. [A second
try](explainer_more.md) has gates that move, and another student.
"""


def draw(results: Results, path: Path) -> None:
    entry = arm(results, "kd")[0]
    model = load_model(entry.folder / "model")
    parents = [gate.parents.tolist() for gate in gates_of(model)]
    figure = tree_figure(parents, model.labels, title=f"KD, seed {entry.seed}: which blocks the classes read")
    write_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("trees", "vam"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    grown, attended = read_results(options.trees), read_results(options.vam)
    trees, parents, vam = entropies(grown), sharing(grown), attention(attended)
    told_of = {"claims": claims(trees, parents, vam), "trees": trees, "parents": parents, "vam": vam}
    facts = {"studies": ["studies/systems/explainer.yaml", "studies/systems/vam.yaml"], **told_of}
    facts["training_minutes"] = minutes(grown, attended)
    seeds = sorted({*grown.seeds, *attended.seeds})
    print(write_result("systems/explainer", facts, seeds=seeds, software=["distildoc", "torch", "numpy", "scipy"]))
    draw(grown, PAGE.with_name("explainer_tree.png"))
    PAGE.write_text(page(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
