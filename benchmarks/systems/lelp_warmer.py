"""The third try of LELP (arXiv:2409.20449): its own temperature, and docs/systems/lelp_warmer.md.

    distildoc study run studies/systems/lelp_warmer.yaml
    python benchmarks/systems/lelp_warmer.py runs/lelp_warmer              (10 seconds)

Of the temperatures of KD and the settings of LELP that with the higher mean accuracy on the validation pages is
compared; differences are paired by seed and page (paired.py).
"""

from collections.abc import Callable, Mapping
from typing import Any

import paired
from verdicts import verdict

from distildoc.study.results import Results

STUDY = "studies/systems/lelp_warmer.yaml"
KD = ("kd_1", "kd_4", "kd_10")
LELP = ("lelp_8_t1", "lelp_8_t4", "lelp_8_t10", "lelp_3_t4", "lelp_3_t10")
NAMES = {
    "supervised": "labels alone",
    "kd_1": "KD, T 1",
    "kd_4": "KD, T 4",
    "kd_10": "KD, T 10",
    "lelp_8_t1": "LELP, S 8, beta 0.5, T 1",
    "lelp_8_t4": "LELP, S 8, beta 0.5, T 4",
    "lelp_8_t10": "LELP, S 8, beta 0.5, T 10",
    "lelp_3_t4": "LELP, S 3, beta 1, T 4",
    "lelp_3_t10": "LELP, S 3, beta 1, T 10",
}
TRIED = (
    "the first and the second try (lelp.yaml, lelp_more.yaml) with LELP at temperature 1; here KD at 1, 4 and 10, LELP "
    "with S 8, beta 0.5 at 1, 4 and 10 and with S 3, beta 1 at 4 and 10, chosen on validation pages"
)


def facts_of(results: Results) -> dict[str, Any]:
    claim = "With two classes and few pages LELP beats KD, each at its best temperature (third try)"
    return compared(results, STUDY, claim=claim, holds=verdict, tried=TRIED)


def compared(
    results: Results, study: str, *, claim: str, holds: Callable[[Mapping[str, Any]], bool | str], tried: str
) -> dict[str, Any]:
    """LELP and KD, each as the validation pages choose it; `holds` judges the difference of both."""
    arms, found, scores = paired.scored(results)
    best = {"kd": paired.best_of(arms, KD), "lelp": paired.best_of(arms, LELP)}
    gain = paired.difference(found[best["lelp"]], found[best["kd"]])
    return {
        "study": study,
        "test_pages": len(paired.tables_of(arms["supervised"])[0]),
        "claims": [{"claim": claim, "ours": {"LELP - KD": gain}, "holds": holds(gain), "tried": tried}],
        "chosen": best,
        **scores,
    }


def page(facts: Mapping[str, Any]) -> str:
    return page_of(facts, "LELP, the third try", INTRODUCTION)


def page_of(facts: Mapping[str, Any], title: str, introduction: str) -> str:
    lines = [f"# {title}", "", *introduction.strip().splitlines(), ""]
    lines += paired.score_lines(facts, NAMES)
    seeds = len(facts["test_accuracy"]["supervised"]["seeds"])
    chosen = " and ".join(NAMES[name] for name in facts["chosen"].values())
    lines += [
        "",
        f"Teacher, test %: {100 * facts['teacher']:.1f}. {facts['test_pages']:,} test pages, {seeds} seeds; all runs "
        f"trained for {facts['training_minutes']:.0f} minutes. Chosen on validation pages: {chosen}.",
        "",
    ]
    lines += [*paired.claim_lines(facts["claims"]), "", *paired.tried_lines(facts["claims"])]
    return "\n".join([*lines, ""])


INTRODUCTION = """
Made by `python benchmarks/systems/lelp_warmer.py` from
[the result file](../../benchmarks/results/systems/lelp_warmer.json), of the study
[studies/systems/lelp_warmer.yaml](../../studies/systems/lelp_warmer.yaml) of the method [lelp](../methods/lelp.md).

[The first](lelp.md) and [the second try](lelp_more.md) chose the temperature of KD and left that of LELP at 1, as the
paper has it. Here both are chosen. Everything else is that of the second try, with five other seeds.
"""


if __name__ == "__main__":
    paired.main(__doc__, "lelp_warmer", facts_of, page)
