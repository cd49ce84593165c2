"""LELP (arXiv:2409.20449) with 16 classes, the second try, and docs/systems/lelp_sixteen.md.

    distildoc study run studies/systems/lelp_sixteen.yaml
    python benchmarks/systems/lelp_sixteen.py runs/lelp_sixteen              (10 seconds)

Of the temperatures of KD and the settings of LELP that with the higher mean accuracy on the validation pages is
compared; differences are paired by seed and page (paired.py).
"""

from collections.abc import Mapping
from typing import Any

import paired
from lelp import no_gain
from lelp_warmer import compared, page_of

from distildoc.study.results import Results

STUDY = "studies/systems/lelp_sixteen.yaml"
TRIED = (
    "the first try (lelp.yaml: a small student, LELP with S 8, beta 0.5 at temperature 1); here a student as large as "
    "its teacher, KD at 1, 4 and 10, LELP with S 8, beta 0.5 at 1, 4, 10 and with S 3, beta 1 at 4 and 10, chosen on "
    "validation pages"
)


def facts_of(results: Results) -> dict[str, Any]:
    claim = "With 16 classes there is nothing to gain over KD, and nothing lost (second try)"
    return compared(results, STUDY, claim=claim, holds=no_gain, tried=TRIED)


def page(facts: Mapping[str, Any]) -> str:
    found = facts["test_accuracy"]
    lelp, kd = (100 * found[name]["value"] for name in ("lelp_8_t1", "kd_1"))
    low = 100 * facts["claims"][0]["ours"]["LELP - KD"]["low"]
    reading = [
        f"With S 8, beta 0.5 at temperature 1, as in the first try, LELP has {lelp:.1f} and KD at 1 {kd:.1f}. The",
        f"verdict rests on the two points set for the first try: the interval reaches {low:.1f}, so that it would fail",
        "on the one point that the claims about random sub-classes were given later.",
    ]
    return "\n".join([page_of(facts, "LELP with sixteen classes, the second try", INTRODUCTION), *reading, ""])


INTRODUCTION = """
Made by `python benchmarks/systems/lelp_sixteen.py` from
[the result file](../../benchmarks/results/systems/lelp_sixteen.json), of the study
[studies/systems/lelp_sixteen.yaml](../../studies/systems/lelp_sixteen.yaml) of the method [lelp](../methods/lelp.md).

The authors claim gains for few classes and none from ten on. In [the first try](lelp.md) LELP, with
one setting, lost three points to KD with sixteen classes, both at temperature 1, which the validation pages had chosen
for KD. Here LELP has other settings too (S 3, beta 1, and temperatures 4 and 10), and the student is as large as its
teacher and learns in as many steps from half as many pages, 25 of each class, as in
[the third try with two classes](lelp_warmer.md). All this and the test pages changed together, so that none of it can
be said to be the reason for the difference to the first try. The claim holds where the whole interval lies within two
points of 0.
"""


if __name__ == "__main__":
    paired.main(__doc__, "lelp_sixteen", facts_of, page)
