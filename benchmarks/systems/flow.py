"""The claims of information flow held against a finished study: retrieval, and how much each layer says of the class.

    distildoc study run studies/systems/flow.yaml
    python benchmarks/systems/flow.py runs/flow      (1 minute; likewise flow_harder, flow_tuned and flow_settled)
    python benchmarks/systems/flow_page.py

Scores are those of `exams: retrieval` (test pages ask all other test pages), taken again page by page so that
differences are paired: pages and seeds are both drawn with replacement. The information of a layer is quadratic mutual
information (losses.information) on the same pages, and the divergence of student and teacher
sum_i (I(y_i; C) - I(x_i; C))^2 / sum_i I(x_i; C)^2 over the taps early, middle and penultimate.
Where a study has several settings of a method, METHOD and METHOD.SETTING, that with the best mAP (cosine) on the
validation pages is compared. Writes benchmarks/results/systems/NAME.json, NAME being that of the study.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from measuring import write_result
from paired import minutes
from verdicts import less, t_test, verdict

from distildoc.data.loader import Loader
from distildoc.methods.flow import FlowByInformation
from distildoc.metrics.bootstrap import draws, percentiles
from distildoc.metrics.outcomes import Floats
from distildoc.metrics.retrieval import DISTANCES, Answered, Vectors, answered, maps
from distildoc.models.grids import grid_of
from distildoc.models.load import load_model
from distildoc.recipes.build import parts_of
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import listed_pages, test_pages, training_pages
from distildoc.recipes.sizes import preprocess_of, size_of
from distildoc.study.results import Entry, Results, read_results
from distildoc.study.statistics import PAGE_SEED, drawn_scores, over_seeds, p_value
from distildoc.teach.live import Live
from distildoc.teach.survey import survey

TAPS = ("early", "middle", "penultimate")
OF_BASELINE = "supervised-"  # labels alone once more at the rate of a method, which is the arm supervised.slow
SETTING = "."  # between a method's name and that of a setting of it
DRAWS = 1000  # bootstrap samples
AT = 10
TRIED = {
    "flow": "one setting, the first one tried; no settings were chosen",
    "flow_harder": "the second setting, after the first one; no settings were chosen",
    "flow_tuned": "a third setting, between the other two; three or four of each method, chosen on validation pages",
    "flow_settled": "the third setting on ten other seeds, with what validation pages chose there; added because two "
    "comparisons there were undecided (intervals above 0, t-tests over five seeds not significant)",
}
PAIRS = {"flow": "With a deeper teacher of the students' kind of blocks"}  # of networks, as its claim names them
BLOCKS = "With different architectures (bottleneck blocks, basic ones)"
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One model on the test pages: features [N, D] by tap, and classes [N]."""

    ids: tuple[str, ...]
    classes: Floats
    features: Mapping[str, Floats]

    def found(self, distance: str) -> Answered:
        pages = Vectors(self.ids, self.classes.astype(np.int64), self.features["penultimate"])
        return answered(pages, pages, distance=DISTANCES[distance], at=(1, AT))

    @cached_property
    def information(self) -> Floats:
        """Of every tap, on the pages as they are and on every draw, [taps, 1 + R]."""
        return np.stack([informations(self.features[tap], self.classes) for tap in TAPS])


def informations(rows: Floats, classes: Floats) -> Floats:
    """losses.information of weighted pages: as they are, then of every draw, [1 + R]."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    counts = np.concatenate([np.ones((1, len(rows))), *draws(len(rows), seed=PAGE_SEED, resamples=DRAWS)])
    sums = [(counts * (classes == c)) @ unit for c in np.unique(classes)]
    shares = [(counts * (classes == c)).mean(1)[:, None] for c in np.unique(classes)]
    whole = counts @ unit
    squares = sum(((one - share * whole) ** 2).sum(1) for one, share in zip(sums, shares, strict=True))
    return np.asarray(squares / (2 * len(rows) ** 2))


def asked(folder: Path, cache: dict[str, Any], split: str = "test") -> Asked:
    """The model of a run on its test or `validation` pages; all runs of this study read the same ones."""
    config, model = RunFolder(folder).config(), load_model(folder / "model")
    if not cache:
        pages = test_pages(config.data, model.labels) if split == "test" else listed_pages(config.data)[1]
        loader = Loader(pages, model.labels, preprocess_of(config), batch=len(pages), seed=0, shuffle=False)
        cache |= {"batch": next(loader.epoch(0))}
    batch, grid = cache["batch"], grid_of(model, size_of(config))
    view = Live(model, taps=TAPS)(batch)
    features = {tap: grid(view.features[tap]).flatten(1).double().numpy() for tap in TAPS}
    return Asked(tuple(k.page for k in batch.keys), batch.targets["label"].double().numpy(), features)


def estimate(values: Floats) -> Numbers:
    """Of [S, 1 + R]: the mean over seeds with a 95 % interval from draws of both; for differences also their signs."""
    drawn = over_seeds(values, resamples=DRAWS)
    low, high = percentiles(drawn[1:])
    agree = int((np.sign(values[:, 0]) == np.sign(drawn[0])).sum())
    numbers = {"mean": float(drawn[0]), "low": low, "high": high, "p": p_value(drawn[1:])}
    told = {name: round(value, 5) for name, value in numbers.items()}
    return {**told, "p_t_test": t_test(values[:, 0]), "seeds_that_agree": agree}


class Study:
    """All models of the study on the test pages, by method and by the name of a run before."""

    def __init__(self, results: Results) -> None:
        cache: dict[str, Any] = {}
        found = {dict(at)["method"]: some for at, some in entries(results)}
        found = {name: some for name, some in found.items() if not name.startswith(OF_BASELINE)}
        self.validation = validated(found) if any(SETTING in name for name in found) else {}
        self.chosen = chosen(self.validation) or {name: name for name in found}
        self.runs = {name: found[best] for name, best in self.chosen.items()}
        self.cells = {name: [asked(one.folder, cache) for one in some] for name, some in self.runs.items()}
        self.before = {one.name: asked(one.folder, cache) for one in results.before}

    def scores(self, one: Asked, distance: str) -> dict[str, Floats]:
        found = one.found(distance)
        return drawn_scores(found, {"map": maps, f"precision@{AT}": _precision}, DRAWS)

    def table(self, name: str) -> Numbers:
        sides = self.cells.get(name) or [self.before[name]]
        told: Numbers = {}
        for distance in DISTANCES:
            drawn = [self.scores(one, distance) for one in sides]
            for score in drawn[0]:
                told[f"{distance}:{score}"] = plain(estimate(np.stack([one[score] for one in drawn])))
        profile = np.stack([one.information for one in sides])
        return {**told, "information": {tap: plain(estimate(profile[:, i])) for i, tap in enumerate(TAPS)}}

    def gain(self, better: str, than: str, distance: str = "cosine") -> Numbers:
        """Difference of mAP, paired over pages and seeds."""
        sides = [np.stack([self.scores(one, distance)["map"] for one in self.cells[name]]) for name in (better, than)]
        return {"of": better, "to": than, "distance": distance, **estimate(sides[0] - sides[1])}

    def divergence(self, method: str, teacher: str) -> Floats:
        """Of every seed to the teacher, as a share of the teacher's own sum of squares, [S, 1 + R]."""
        other = self.before[teacher].information
        whole = (other**2).sum(0)
        return np.stack([((one.information - other) ** 2).sum(0) / whole for one in self.cells[method]])


def validated(found: Mapping[str, Sequence[Entry]]) -> dict[str, float]:
    """Mean mAP (cosine) of every arm on the validation pages, which ask all others of them."""
    cache: dict[str, Any] = {}
    return {
        name: round(
            float(np.mean([asked(one.folder, cache, "validation").found("cosine").average_precision for one in some])),
            4,
        )
        for name, some in found.items()
    }


def chosen(validation: Mapping[str, float]) -> dict[str, str]:
    """By method, the best of its settings."""
    methods = dict.fromkeys(name.split(SETTING)[0] for name in validation)
    return {
        method: max((name for name in validation if name.split(SETTING)[0] == method), key=validation.__getitem__)
        for method in methods
    }


def _precision(found: Answered, counts: Floats) -> Floats:
    return np.asarray(counts @ found.precision[AT] / counts.sum(1))


def plain(found: Numbers) -> Numbers:
    return {name: found[name] for name in ("mean", "low", "high")}


def entries(results: Results) -> list[tuple[Any, list[Entry]]]:
    unfinished = [one.name for some in results.places.values() for one in some if one.status != "done"]
    if unfinished:
        raise SystemExit(f"the study is not finished: {unfinished}")
    return list(results.places.items())


def refuse_other_exams(study: Study) -> None:
    """What the exams wrote must be what was found here again."""
    for name, some in study.runs.items():
        for one, own in zip(some, study.cells[name], strict=True):
            assert one.retrieval is not None
            written, again = one.retrieval["cosine"]["map"]["value"], own.found("cosine").average_precision.mean()
            if abs(written - again) > 1e-4:
                raise SystemExit(f"{one.name}: the exam says {written} and this script {again}")


def pairing(results: Results) -> Numbers:
    """What `pairing: information` chose with the first seed, from the information of hidden taps on training pages."""
    entry = next(some[0] for at, some in entries(results) if dict(at)["method"] == "direct_information")
    config = RunFolder(entry.folder).config()
    assert config.teacher is not None
    config = config.model_copy(update={"teacher": config.teacher.model_copy(update={"cache": None})})
    parts = parts_of(config, training_pages(config.data))
    survey(parts.distiller, parts.teacher, parts.loader.once, count=len(parts.loader.pages))
    method = parts.distiller.terms[0].method
    assert isinstance(method, FlowByInformation)
    told = {side: [round(value, 5) for value in values] for side, values in method.information.items()}
    return {"information": told, "pairs": [list(pair) for pair in method.flow.taps]}


def claims(study: Study, name: str) -> list[Numbers]:
    """Those whose students are in the study of that name."""
    tried, pair_of_networks = TRIED[name], PAIRS.get(name, BLOCKS)
    nearer = []
    for one, other, teacher in (("flow", "pkt_auxiliary", "auxiliary"), ("direct", "pkt", "teacher")):
        apart = study.divergence(one, teacher) - study.divergence(other, teacher)
        nearer.append({"of": one, "to": other, "teacher": teacher, **estimate(apart)})
    better = [
        ("Without labels, flow through the auxiliary finds pages better than pkt on the last layer", ("flow", "pkt")),
        ("... than pkt on the last layer of the same auxiliary", ("flow", "pkt_auxiliary")),
        ("... than the supervised student", ("flow", "supervised")),
        ("Decayed hidden weights find pages better than constant ones (optimiser reset)", ("flow", "flow_constant")),
        ("The optimiser must be reset at every epoch", ("flow", "flow_one_adam")),
        (f"{pair_of_networks} the auxiliary route beats the direct one", ("flow", "direct")),
        ("... and direct matching of features (hints)", ("flow", "hints")),
        ("PKT on the last layer beats direct matching of features (hints)", ("pkt", "hints")),
        ("Direct: pairing by information beats pairing in order", ("direct_information", "direct")),
    ]  # fmt: skip
    found = []
    for text, pair in better:
        if set(pair) <= set(study.cells):
            gains = [study.gain(*pair, distance) for distance in DISTANCES]
            found.append({"claim": text, "ours": gains, "holds": verdict(*gains), "tried": tried})
    text = "After training the information flow is nearer to the teacher's than with the last layer alone"
    return [*found, {"claim": text, "ours": nearer, "holds": verdict(*map(less, nearer)), "tried": tried}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    results = read_results(parser.parse_args().study)
    torch.set_num_threads(1)
    study = Study(results)
    refuse_other_exams(study)
    facts = {
        "study": f"studies/systems/{results.name}.yaml",
        "training_minutes": minutes(results),
        "claims": claims(study, results.name),
        "models": {name: study.table(name) for name in (*study.before, *study.cells)},
    }
    over = study.gain("flow", "pkt_auxiliary", "cosine")
    facts["gains"] = {"flow": {"value": over["mean"], **{key: over[key] for key in ("low", "high", "p_t_test")}}}
    if study.validation:
        facts |= {"validation": study.validation, "chosen": study.chosen}
    if "direct_information" in study.cells:
        facts["pairing"] = pairing(results)
    print(write_result(f"systems/{results.name}", facts, seeds=list(results.seeds), software=["torch", "numpy"]))


if __name__ == "__main__":
    main()
