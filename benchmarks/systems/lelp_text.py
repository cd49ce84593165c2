"""LELP's claims (arXiv:2409.20449) on SST-2 held against the finished study, and docs/systems/lelp_text.md.

    DISTILDOC_DATA=... distildoc study run studies/systems/lelp_text.yaml
    python benchmarks/systems/lelp_text.py runs/lelp_text              (10 seconds)

Of the temperatures of KD and the settings of LELP that with the higher mean accuracy on the validation texts is
compared; differences are paired by seed and text (paired.py).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import paired
from lelp import random_claim
from verdicts import verdict

from distildoc.study.results import Results

KD = ("kd_1", "kd_4", "kd_10")
LELP = ("lelp_8", "lelp_3", "lelp_8_t4", "lelp_3_t4", "lelp_8_t10")
TRIED = (
    "KD at temperatures 1, 4 and 10, LELP with S 8, beta 0.5 at 1, 4 and 10 and with S 3, beta 1 at 1 and 4; chosen on "
    "validation texts. A first run had no 10 and LELP at 1 alone: no gain either"
)
NAMES = {
    "supervised": "labels alone",
    "kd_1": "KD, T 1",
    "kd_4": "KD, T 4",
    "kd_10": "KD, T 10",
    "lelp_8": "LELP, S 8, beta 0.5",
    "lelp_3": "LELP, S 3, beta 1",
    "lelp_8_t4": "LELP, S 8, beta 0.5, T 4",
    "lelp_3_t4": "LELP, S 3, beta 1, T 4",
    "lelp_8_t10": "LELP, S 8, beta 0.5, T 10",
    "random_subclasses": "random soft sub-classes, S 8, beta 0.5",
}


def claims(found: Mapping[str, np.ndarray], kd: str, lelp: str, tried: str, again: str) -> list[dict[str, Any]]:
    to_kd = paired.difference(found[lelp], found[kd])
    to_random = paired.difference(found["lelp_8"], found["random_subclasses"])
    to_labels = paired.difference(found[kd], found["supervised"])
    return [
        {
            "claim": f"On SST-2 LELP beats KD at its best temperature{again}",
            "ours": {"LELP - KD": to_kd},
            "holds": verdict(to_kd),
            "tried": tried,
        },
        {
            "claim": f"On SST-2 it is the embeddings: LELP beats random soft sub-classes (same S and beta){again}",
            "ours": {"LELP - random": to_random},
            "holds": verdict(to_random),
            "tried": "S 8, beta 0.5 at temperature 1",
        },
        random_claim(found, kd, "KD at 1, 4 and 10, chosen on validation texts", "On SST-2", again),
        {
            "claim": f"On SST-2 KD without labels beats the same texts' labels{again}",
            "ours": {"KD - labels": to_labels},
            "holds": verdict(to_labels),
            "tried": "KD at temperatures 1, 4 and 10, chosen on validation texts",
        },
    ]


def facts_of(results: Results, tried: str = TRIED, again: str = "") -> dict[str, Any]:
    arms, found, scores = paired.scored(results)
    best = {"kd": paired.best_of(arms, KD), "lelp": paired.best_of(arms, LELP)}
    return {
        "study": f"studies/systems/{results.name}.yaml",
        "test_texts": len(paired.tables_of(arms["supervised"])[0]),
        "claims": claims(found, best["kd"], best["lelp"], tried, again),
        "chosen": best,
        "gains": {
            "kd": paired.difference(found[best["kd"]], found["supervised"]),
            "lelp": paired.difference(found[best["lelp"]], found["supervised"]),
        },
        **scores,
    }


def page(facts: Mapping[str, Any], title: str = "LELP on text", introduction: str = "") -> str:
    lines = [f"# {title}", "", *(introduction or INTRODUCTION).strip().splitlines(), ""]
    lines += paired.score_lines(facts, NAMES)
    seeds = len(facts["test_accuracy"]["supervised"]["seeds"])
    lines += [
        "",
        f"Teacher, test %: {100 * facts['teacher']:.1f}. {facts['test_texts']} test texts, {seeds} seeds; all runs "
        f"trained for {facts['training_minutes']:.0f} minutes.",
        "",
    ]
    lines += [*paired.claim_lines(facts["claims"]), "", *paired.tried_lines(facts["claims"])]
    return "\n".join([*lines, ""])


INTRODUCTION = """
Made by `python benchmarks/systems/lelp_text.py` from
[the result file](../../benchmarks/results/systems/lelp_text.json), of the study
[studies/systems/lelp_text.yaml](../../studies/systems/lelp_text.yaml) of the method [lelp](../methods/lelp.md); on
pages it was tried in [lelp](lelp.md) and [lelp_more](lelp_more.md).

On SST-2 the paper (arXiv:2409.20449) does not claim a gain over Subclass Distillation either: 92.81 against 92.85, as
others transcribe its table; its teachers are ALBERT-XXL and its students ALBERT-Base. The setting here is far smaller,
without published weights: a teacher that is a mean of token embeddings with a hidden layer, from 28,500 phrases with
labels; students of the same make with 16 numbers a token, from 4,000 of these phrases without labels; test texts are
GLUE's development sentences. Validation texts are phrases, many of them parts of sentences seen in training, so their
scores are higher than those of the test. Intervals are over seeds and texts, paired; the teacher has one seed. With a
fifth of the phrases it was tried [once more](lelp_text_few.md).
"""


if __name__ == "__main__":
    paired.main(__doc__, "lelp_text", facts_of, page, software=["torch", "transformers", "tokenizers", "numpy"])
