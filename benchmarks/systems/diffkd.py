"""DiffKD's claims held against a finished study: accuracy, and whether denoising brings held-out features nearer.

    DISTILDOC_DATA=... distildoc study run studies/systems/diffkd.yaml
    DISTILDOC_DATA=... python benchmarks/systems/diffkd.py runs/diffkd              (3 minutes)

Differences of accuracy are paired over pages and seeds, which are both drawn with replacement (paired.py). Features are
those of all test pages (diffkd_nearer.py). Writes benchmarks/results/systems/diffkd.json and docs/systems/diffkd.md.
"""

from collections.abc import Mapping
from typing import Any

import diffkd_nearer as nearer
import numpy as np
import paired
from verdicts import verdict

from distildoc.core.model import parameter_count
from distildoc.models.load import load_model
from distildoc.study.results import Results

NAMES = {
    "supervised": "labels alone",
    "kd": "labels and KD, T 1",
    "mse_map": "labels and MSE with the adapters, map",
    "mse": "labels and MSE with the adapters, map and logits",
    "diffkd_map": "labels and DiffKD, map",
    "diffkd": "labels and DiffKD, map and logits",
    "no_adapter_map": "labels and DiffKD without the noise adapter, map",
    "no_code_map": "labels and DiffKD without the auto-encoder, map",
}
CONTROLS = ("mse", "no_")  # begin the names of arms that stand against the method
LOOKED_AT = ("mse_map", "diffkd_map", "diffkd", "no_adapter_map", "no_code_map")
TRIED = "the paper's weights and steps alone; nothing was tuned"


def claims(found: Mapping[str, np.ndarray], features: Mapping[str, Any]) -> list[dict[str, Any]]:
    share = features["stages"]["diffkd_map"][nearer.SHARE]["value"]
    pairs = {
        "Denoising before comparing beats plain MSE with the same adapters": {
            "on the map, DiffKD - MSE": ("diffkd_map", "mse_map"),
            "on map and logits, DiffKD - MSE": ("diffkd", "mse"),
        },
        "DiffKD beats labels alone and vanilla KD": {
            "on map and logits, DiffKD - labels": ("diffkd", "supervised"),
            "on map and logits, DiffKD - KD": ("diffkd", "kd"),
        },
        "The noise adapter and the auto-encoder each help": {
            f"on the map, with - without an adapter that keeps {share:.3f} of the code": (
                "diffkd_map",
                "no_adapter_map",
            ),
            "on the map, with - without auto-encoder": ("diffkd_map", "no_code_map"),
        },
    }
    told = []
    for claim, named in pairs.items():
        ours = {what: paired.difference(found[one], found[other]) for what, (one, other) in named.items()}
        told.append({"claim": claim, "ours": ours, "holds": verdict(*ours.values()), "tried": TRIED})
    return [*told, *nearer.claims(features, tried=TRIED)]


def facts_of(results: Results) -> dict[str, Any]:
    arms = paired.arms_of(results)
    tables = {name: paired.tables_of(cells) for name, cells in arms.items()}
    found = {name: paired.accuracy(own, tables["supervised"][0]) for name, own in tables.items()}
    features = nearer.features_of(arms, LOOKED_AT, ours="diffkd_map", plain=("mse_map",))
    kept = {name: parameter_count(load_model(arms[name][0].folder / "model")) for name in ("supervised", "diffkd")}
    return {
        "study": "studies/systems/diffkd.yaml",
        "test_pages": len(tables["supervised"][0]),
        "claims": claims(found, features),
        "weights_kept": kept,
        **paired.figures(results, arms, found, controls=CONTROLS),
        "features": features,
    }


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/diffkd.md, all of its numbers from the result file."""
    teacher, kept = facts["teacher"], facts["weights_kept"]
    of_accuracy, of_features = facts["claims"][:-2], facts["claims"][-2:]
    lines = ["# DiffKD: does denoising help, or its adapters?", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += [
        f"Teacher: {100 * teacher['accuracy']:.1f} % on the test pages, {teacher['parameters']:,} weights. Students: "
        f"{kept['supervised']:,} weights, with DiffKD {kept['diffkd']:,}. {facts['test_pages']} test pages, "
        f"{len(facts['seeds'])} seeds.",
        "",
        *paired.score_lines(facts, NAMES),
        "",
        *paired.claim_lines(of_accuracy),
        "",
        f"Tried: {TRIED}.",
        "",
        "## On the way to the teacher's code",
        "",
        *nearer.lines_of(of_features, facts["features"], {name: name for name in LOOKED_AT}),
        "",
        *READING.strip().splitlines(),
    ]
    return "\n".join([*lines, ""])


INTRODUCTION = """
Made by `python benchmarks/systems/diffkd.py` from [the result file](../../benchmarks/results/systems/diffkd.json); the
study is [studies/systems/diffkd.yaml](../../studies/systems/diffkd.yaml), the method [diffkd](../methods/diffkd.md).
Real pages of five classes at 64 x 64 pixels; the teacher learns from 1,571, the students from 500, for 24 epochs, 360
steps; the model is that of the last epoch. `diffkd` and `mse` compare the last map and the logits, `_map` the map
alone; `mse` has the same adapters, auto-encoder and weights as `diffkd` and no denoising. Differences are paired over
pages and seeds, with 95 % intervals. The arm `mse` was added when the results of the others had been seen.
"""
READING = """
`entered` is the student's code before any step, `ready` what L_kd compares, `linear` the best linear map from the
student's features to the code, fitted on the training pages: what both adapters could do without denoising. `equal
adapter` is of DiffKD's own layers, the two adapters with the predictor between them, of as many weights, run once; it
is trained from scratch by plain MSE on the features of the student that is done, in the student's batches, for as many
steps and with its optimiser. Norms of DiffKD's layers and of that adapter have the statistics of the pages they are
given, held-out ones too. `teacher, noised` is the teacher's own code with the noise of the first time, scaled back;
below it the same after denoising. An error of 1 is that of the mean, where codes are normalised; `no_code_map` compares
features as they are.

DiffKD's `ready` is nearer to the teacher than a linear map brings the features of its own student, but the predictor
has layers that a linear map has not. Given those layers and no diffusion, the adapter is nearer than the denoising, on
DiffKD's features as on those of plain MSE, and about as near on either; a linear map is nearer on those of plain MSE.
The adapter has an easier task, as student and code stand still while it learns. An earlier version of this page held
`ready` against `linear` alone and called the claim shown; the adapter of equal size was added after that, with the
settings of the students and no other tried.

The steps bring the teacher's own noised codes nearer, though after 360 steps of training not within the error of the
mean. Before r the student's code does not lie where the predictor expects codes, since nothing but L_kd behind r asks
for it: its cosine is near 0 all the way, the first step more than doubles its error, and no step is shown to help.
Behind r, which is linear, the first three steps bring it nearer and the last two change next to nothing; r was trained
for the last step alone, so that those before it look worse than they need. The step from the entry was not counted
before the others had been seen. The noise adapter keeps nearly all of the code, so that DiffKD with and without it are
nearly one method.

Nothing was tuned: the weights are the paper's, in a regime far from its own (ImageNet, 100 epochs), and the test pages
are too few to tell small gains from none. A second try, with longer training and more test pages, is on
[its own page](diffkd_more.md), and one of the adapter and the auto-encoder on [another](diffkd_parts.md).
"""


if __name__ == "__main__":
    paired.main(__doc__, "diffkd", facts_of, page, software=("torch", "numpy"))
