"""LELP's claims (arXiv:2409.20449) with four classes held against the finished study, and docs/systems/lelp_four.md.

    distildoc study run studies/systems/lelp_four.yaml
    python benchmarks/systems/lelp_four.py runs/lelp_four              (10 seconds)

Arms, choices and differences are those of lelp_text.py.
"""

from collections.abc import Mapping
from typing import Any

import lelp_text
import paired
from lelp_claims import MARGIN_TOLD

from distildoc.study.results import Results

ITEMS = "pages"
TRIED = (
    "KD at temperatures 1, 4 and 10, LELP with S 8, beta 0.5 at 1, 4 and 10 and with S 3, beta 1 at 1 and 4, chosen on "
    "validation pages; the setting of the second try with two classes (lelp_more.yaml), none other tried"
)


def facts_of(results: Results) -> dict[str, Any]:
    return lelp_text.facts_of(results, TRIED, where="With four classes", items=ITEMS)


def page(facts: Mapping[str, Any]) -> str:
    return lelp_text.page_of(facts, "LELP with four classes", INTRODUCTION, items=ITEMS, rule=MARGIN_TOLD)


INTRODUCTION = """
Made by `python benchmarks/systems/lelp_four.py` from
[the result file](../../benchmarks/results/systems/lelp_four.json), of the study
[studies/systems/lelp_four.yaml](../../studies/systems/lelp_four.yaml) of the method [lelp](../methods/lelp.md).

The paper claims gains for few classes, not for two alone. Here the 16 classes of the generated pages are folded to four
by their number modulo four; the students see 400 pages, 100 of each of the four, without labels. Networks, training,
test pages and settings are those of [the second try with two classes](lelp_more.md), with LELP and random sub-classes
at KD's temperatures; the setting was chosen for two classes, on validation pages, before any of this was run.
"""


if __name__ == "__main__":
    paired.main(__doc__, "lelp_four", facts_of, page)
