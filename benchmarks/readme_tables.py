"""Write the tables of README.md from benchmarks/results, between their markers.

python benchmarks/readme_tables.py            (rewrites README.md)
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
TABLES = ("rvl5_views2", "rvl5_views16")
NAMES = {
    "supervised": "supervised",
    "kd": "vanilla KD, teacher alone",
    "kd_labels": "vanilla KD, half labels",
    "logit_mse": "MSE on logits",
    "nkd": "NKD, with cross-entropy",
    "nkd_alone": "NKD, alone (the paper's)",
    "fitnet": "FitNet hint + labels",
    "kd_fitnet": "KD + FitNet hint",
    "simkd_mlp": "SimKD, CLS+MLP projector",
    "simkd_cnn": "SimKD, CNN projector",
    "wide_supervised": "wide student, supervised",
    "wide_simkd_none": "wide student, SimKD without projector",
    "supervised_pretrained": "supervised, pre-trained start",
    "kd_pretrained": "vanilla KD, pre-trained start",
}


def table(result: dict[str, Any]) -> str:
    """Markdown: the teacher, then every arm with its mean scores and its paired gain."""
    teacher = result["teacher"]
    scores = teacher["scores"]
    lines = [
        "| | weights | accuracy | points above supervised [95 %] | AURC | ECE |",
        "|---|--:|--:|--:|--:|--:|",
        f"| teacher | {teacher['parameters']:,} | {scores['accuracy']['value']:.3f} | | "
        f"{scores['aurc']['value']:.3f} | {scores['ece']['value']:.3f} |",
    ]
    lines += [row(NAMES[arm], facts) for arm, facts in result["arms"].items()]
    return "\n".join(lines)


def row(name: str, facts: dict[str, Any]) -> str:
    mean, gain = facts["mean"], facts.get("gain")
    shown = "" if gain is None else f"{100 * gain['value']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]"
    return (
        f"| {name} | {facts['parameters']:,} | {mean['accuracy']:.3f} | {shown} | {mean['aurc']:.3f} | "
        f"{mean['ece']:.3f} |"
    )


def filled(text: str) -> str:
    """The text with every table between `<!-- NAME -->` and `<!-- end -->` made anew from its result file."""
    for name in TABLES:
        path, start, end = RESULTS / f"{name}.json", f"<!-- {name} -->\n", "\n<!-- end -->"
        if start not in text or not path.is_file():
            continue
        head, _, rest = text.partition(start)
        text = head + start + table(json.loads(path.read_text())) + end + rest.partition(end)[2]
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
