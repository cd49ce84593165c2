"""LELP's claims (arXiv:2409.20449) on SST-2 with few phrases, the second try, and docs/systems/lelp_text_few.md.

    DISTILDOC_DATA=... distildoc study run studies/systems/lelp_text_few.yaml -o runs/systems/lelp_text_few
    python benchmarks/systems/lelp_text_few.py runs/systems/lelp_text_few              (10 seconds)

Arms, choices and differences are those of lelp_text.py.
"""

from collections.abc import Mapping
from typing import Any

import lelp_text
import paired

from distildoc.study.results import Results

TRIED = "the first try (lelp_text.yaml: 4,000 phrases); here 800, and the same temperatures and settings to choose from"


def facts_of(results: Results) -> dict[str, Any]:
    return lelp_text.facts_of(results, TRIED, " (second try)")


def page(facts: Mapping[str, Any]) -> str:
    return lelp_text.page_of(facts, "LELP on few texts, the second try", INTRODUCTION)


INTRODUCTION = """
Made by `python benchmarks/systems/lelp_text_few.py` from
[the result file](../../benchmarks/results/systems/lelp_text_few.json), of the study
[studies/systems/lelp_text_few.yaml](../../studies/systems/lelp_text_few.yaml) of the method
[lelp](../methods/lelp.md).

What LELP adds should show most where there is little to learn from, and [the first try](lelp_text.md) had 4,000
phrases. Here the students learn from 800, without labels, in twice the epochs; teacher, students, tests and settings
are those of the first try, but random sub-classes have temperature 1 alone, as LELP has by choice: what they are behind
KD at its best, which is at 4, may be that.
"""


if __name__ == "__main__":
    software = ["torch", "transformers", "tokenizers", "numpy"]
    paired.main(__doc__, "lelp_text_few", facts_of, page, software=software)
