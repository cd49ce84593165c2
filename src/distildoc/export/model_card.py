"""The model card of a bundle, in Markdown, from what was measured and nothing else."""

from collections.abc import Mapping

from distildoc.export.abstaining_text import abstaining_text
from distildoc.schema.bundle import Bundle
from distildoc.schema.report import Report, Score
from distildoc.schema.texts import TOKENIZER, TextInput, noun_of

FITS = {"stretch": "stretched", "pad": "scaled with its aspect kept and padded in white"}
DOCLING = """## In docling

The folder is a docling layout model:

```python
from docling.datamodel.object_detection_engine_options import OnnxRuntimeObjectDetectionEngineOptions
from docling.datamodel.pipeline_options import LayoutObjectDetectionOptions
from docling.datamodel.stage_model_specs import ObjectDetectionModelSpec

options.artifacts_path = "PARENT"  # of this folder; `options` are the PdfPipelineOptions
options.layout_options = LayoutObjectDetectionOptions(
    model_spec=ObjectDetectionModelSpec(name="distildoc", repo_id="THIS_FOLDER"),
    engine_options=OnnxRuntimeObjectDetectionEngineOptions(),
)
```"""
SCORE_NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "nll": "negative log-likelihood",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "aurc": "area under risk-coverage",
    "map": "mAP at IoU .50 to .95",
    "ap50": "AP at IoU .50",
    "ap75": "AP at IoU .75",
    "map_post": "mAP of the regions shown",
    "ap50_post": "AP at IoU .50 of the regions shown",
    "ap75_post": "AP at IoU .75 of the regions shown",
    "f1": "F1 at IoU .50 of the regions shown",
}


def model_card(bundle: Bundle, report: Report | None, *, obstacle: str | None = None) -> str:
    """Front matter, what it does, how to run it, scores with intervals, cost and origin.

    obstacle  what keeps a layout bundle from being a docling layout model; None where nothing does.
    """
    layouts = bundle.task == "detection"
    parts = [_front(bundle), *(_layout_text(bundle, obstacle) if layouts else (_purpose(bundle), _usage(bundle)))]
    noun = noun_of(bundle.preprocess)
    parts += [_scores(report, noun), abstaining_text(bundle.selective, noun), _facts("Cost", bundle.cost)]
    parts += [_facts("Origin", bundle.source), _facts("Made with", bundle.versions)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front(bundle: Bundle) -> str:
    classifies = "text-classification" if bundle.reads_texts else "image-classification"
    pipeline = "object-detection" if bundle.task == "detection" else classifies
    return "\n".join(
        ["---", "library_name: distildoc", f"pipeline_tag: {pipeline}", "tags:", "- document", "- onnx", "---"]
    )


def _purpose(bundle: Bundle) -> str:
    labels = ", ".join(bundle.labels)
    what, kind = ("text", "Text") if bundle.reads_texts else ("page", "Document page")
    return (
        f"# {kind} classifier `{bundle.id}`\n\n"
        f"Sorts {what}s into {len(bundle.labels)} classes: {labels}.\n\n"
        f"Its probabilities are calibrated on validation {what}s "
        f"(temperature {bundle.temperature:.4g}, inside the graph). It saw only {what}s of these classes: any other "
        f"{what} is given one of them all the same."
    )


def _usage(bundle: Bundle) -> str:
    if isinstance(bundle.preprocess, TextInput):
        return _text_usage(bundle, bundle.preprocess)
    colour = "grey, three equal channels" if bundle.preprocess.grey else "RGB"
    fit = FITS[bundle.preprocess.fit]
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


def _text_usage(bundle: Bundle, texts: TextInput) -> str:
    graph = bundle.graph
    return (
        "## Use\n\n"
        '```\npip install "distildoc[text]"\ndistildoc predict THIS_FOLDER texts.csv -o out/\n```\n\n'
        f"Without distildoc: `{graph.file}` reads `{graph.inputs[0]}` and `{graph.inputs[1]}`, int64 [batch, tokens], "
        f"as the library tokenizers makes them with `{TOKENIZER}` of a text's first {texts.text_bytes} bytes, and "
        f"gives `{graph.outputs[0]}` [batch, {len(bundle.labels)}]; their softmax is the calibrated probabilities. "
        "Classes are in the order above."
    )


def _layout_text(bundle: Bundle, obstacle: str | None) -> list[str]:
    """What a layout model finds, and how to run it: with distildoc, in docling, or by hand."""
    height, width, graph = bundle.pixels.height, bundle.pixels.width, bundle.graph
    rows = "\n".join(f"| {label} | {bundle.thresholds[label]:.3g} |" for label in bundle.labels)
    overlap = (
        "" if bundle.nms_iou is None else f" Regions that overlap by more than {bundle.nms_iou:.2g} (IoU) are one."
    )
    return [
        f"# Document layout model `{bundle.id}`\n\nFinds the regions of a page, of {len(bundle.labels)} classes. "
        f"Regions are shown from these scores on:{overlap}\n\n| class | least score |\n|---|---|\n{rows}",
        "## Use\n\n```\npip install distildoc\ndistildoc predict THIS_FOLDER file.pdf -o out/\n```\n\n"
        f"Without distildoc: `{graph.file}` reads `{graph.inputs[0]}`, float32 [batch, 3, {height}, {width}] in 0..1 "
        f"(RGB; the page {FITS[bundle.pixels.fit]}), and `{graph.inputs[1]}`, int64 [batch, 2], width and height "
        "of the page; it gives class numbers, boxes (left, top, right, bottom in pixels of the page) and scores.",
        f"## In docling\n\nNot a docling layout model: {obstacle}." if obstacle else DOCLING,
    ]


def _scores(report: Report | None, noun: str) -> str:
    if report is None:
        return "## Scores\n\nNot evaluated."
    lines = ["| score | value | 95 % interval |", "|---|---|---|"]
    lines += [_row(SCORE_NAMES.get(name, name), score) for name, score in report.scores.items()]
    failed = f", {report.failed} more could not be read" if report.failed else ""
    return f"## Scores\n\nOn {report.pages} {noun}{failed}.\n\n" + "\n".join(lines)


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
