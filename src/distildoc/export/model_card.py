"""The model card of a bundle, in Markdown, from what was measured and nothing else."""

from collections.abc import Mapping

from distildoc.schema.bundle import Bundle
from distildoc.schema.report import Report, Score

SCORE_NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "nll": "negative log-likelihood",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "aurc": "area under risk-coverage",
}


def model_card(bundle: Bundle, report: Report | None) -> str:
    """Front matter, what it does, how to run it, scores with intervals, cost and origin."""
    parts = [_front(), _purpose(bundle), _usage(bundle), _scores(report), _facts("Cost", bundle.cost)]
    parts += [_facts("Origin", bundle.source), _facts("Made with", bundle.versions)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front() -> str:
    return "\n".join(
        ["---", "library_name: distildoc", "pipeline_tag: image-classification", "tags:", "- document", "- onnx", "---"]
    )


def _purpose(bundle: Bundle) -> str:
    labels = ", ".join(bundle.labels)
    return (
        f"# Document page classifier `{bundle.id}`\n\n"
        f"Sorts pages into {len(bundle.labels)} classes: {labels}.\n\n"
        "Its probabilities are calibrated on validation pages "
        f"(temperature {bundle.temperature:.4g}, inside the graph). It saw only pages of these classes: any other page "
        "is given one of them all the same."
    )


def _usage(bundle: Bundle) -> str:
    colour = "grey, three equal channels" if bundle.preprocess.grey else "RGB"
    fit = {"stretch": "stretched", "pad": "scaled with its aspect kept and padded in white"}[bundle.preprocess.fit]
    graph = bundle.graph
    return (
        "## Use\n\n"
        "```\npip install distildoc\ndistildoc predict THIS_FOLDER file.pdf -o out/\n```\n\n"
        "```python\nimport distildoc\nfrom distildoc.schema.sources import pages_from\n\n"
        'for page in distildoc.load("THIS_FOLDER")(pages_from(["file.pdf"])):\n    print(page)\n```\n\n'
        f"Without distildoc: `{graph.file}` reads `{graph.inputs[0]}`, float32 [batch, 3, {bundle.preprocess.height}, "
        f"{bundle.preprocess.width}] in 0..1 ({colour}; the page {fit}), and gives `{graph.outputs[0]}` "
        f"[batch, {len(bundle.labels)}]; their softmax is the calibrated probabilities. Classes are in the order above."
    )


def _scores(report: Report | None) -> str:
    if report is None:
        return "## Scores\n\nNot evaluated."
    lines = ["| score | value | 95 % interval |", "|---|---|---|"]
    lines += [_row(SCORE_NAMES.get(name, name), score) for name, score in report.scores.items()]
    failed = f", {report.failed} more could not be read" if report.failed else ""
    return f"## Scores\n\nOn {report.pages} pages{failed}.\n\n" + "\n".join(lines)


def _row(name: str, score: Score) -> str:
    return f"| {name} | {score.value:.4f} | {score.low:.4f} to {score.high:.4f} |"


def _facts(title: str, facts: Mapping[str, object]) -> str:
    if not facts:
        return ""
    rows = [f"| {name} | {_figure(value)} |" for name, value in facts.items()]
    return f"## {title}\n\n| | |\n|---|---|\n" + "\n".join(rows)


def _figure(value: object) -> str:
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return f"{int(value):,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
