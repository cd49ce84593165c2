"""Run by docling's own Python: a PDF through docling's pipeline with a layout bundle, without torch and network.

    python convert.py PARENT BUNDLE FILE.pdf OUT

PARENT is the folder that holds the folder BUNDLE. Writes into the folder OUT what the engine found and what the
document became (facts.json), and the pictures that the engine was fed (1.png, ...).

docling 2.143 imports torch in three places on this way, none of which it needs here: DocumentConverter (speech
recognition), so the PDF pipeline is called without it; the choice of a device, which is skipped where more than one
provider is named; the list of table models, although tables are switched off, so the list is cut to the first.
"""

import json
import socket
import sys
from importlib.util import find_spec
from pathlib import Path


def refuse(*given: object, **named: object) -> None:
    raise OSError("the network is closed in this test")


socket.socket.connect = refuse  # type: ignore[method-assign,assignment]
socket.getaddrinfo = refuse  # type: ignore[assignment]

from docling.backend.pypdfium2_backend import PyPdfiumDocumentBackend  # noqa: E402
from docling.datamodel.accelerator_options import AcceleratorDevice, AcceleratorOptions  # noqa: E402
from docling.datamodel.base_models import InputFormat  # noqa: E402
from docling.datamodel.document import InputDocument  # noqa: E402
from docling.datamodel.object_detection_engine_options import OnnxRuntimeObjectDetectionEngineOptions  # noqa: E402
from docling.datamodel.pipeline_options import LayoutObjectDetectionOptions, PdfPipelineOptions  # noqa: E402
from docling.datamodel.stage_model_specs import ObjectDetectionModelSpec  # noqa: E402
from docling.models.plugins import defaults  # noqa: E402
from docling.models.stages.layout import layout_object_detection_model as stage  # noqa: E402
from docling.models.stages.table_structure.table_structure_model import TableStructureModel  # noqa: E402
from docling.pipeline.standard_pdf_pipeline import StandardPdfPipeline  # noqa: E402


def main(parent: str, bundle: str, pdf: str, out: str) -> None:
    seen = []
    predict = stage.LayoutObjectDetectionModel.predict_layout

    def watched(self, conv_res, pages):  # type: ignore[no-untyped-def]
        found = predict(self, conv_res, pages)
        for page, layout in zip(pages, found, strict=True):
            boxes = [[c.label.value, c.confidence, [c.bbox.l, c.bbox.t, c.bbox.r, c.bbox.b]] for c in layout.clusters]
            image = page.get_image(scale=1.0)
            image.save(Path(out) / f"{page.page_no}.png")
            size = [page.size.width, page.size.height]
            seen.append({"page": page.page_no, "size": size, "image": [image.width, image.height], "regions": boxes})
        return found

    stage.LayoutObjectDetectionModel.predict_layout = watched
    defaults.table_structure_engines = lambda: {"table_structure_engines": [TableStructureModel]}
    options = PdfPipelineOptions(
        artifacts_path=parent,
        do_ocr=False,
        do_table_structure=False,
        accelerator_options=AcceleratorOptions(device=AcceleratorDevice.CPU, num_threads=1),
        layout_options=LayoutObjectDetectionOptions(
            model_spec=ObjectDetectionModelSpec(name="distildoc", repo_id=bundle),
            engine_options=OnnxRuntimeObjectDetectionEngineOptions(providers=["CPUExecutionProvider"] * 2),
        ),
    )
    document = InputDocument(path_or_stream=Path(pdf), format=InputFormat.PDF, backend=PyPdfiumDocumentBackend)
    converted = StandardPdfPipeline(options).execute(document, raises_on_error=True)
    items = [
        {"label": item.label.value, "text": getattr(item, "text", ""), "box": item.prov[0].bbox.as_tuple()}
        for item, _ in converted.document.iterate_items()
    ]
    facts = {
        "status": converted.status.value,
        "torch": find_spec("torch") is not None,
        "layout": seen,
        "items": items,
        "markdown": converted.document.export_to_markdown(),
    }
    (Path(out) / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
