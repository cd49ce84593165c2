"""A layout bundle inside docling: its own ONNX layout engine and PDF pipeline, without torch and without network.

docling lives in a virtual environment of its own (make_env.sh), made once: DISTILDOC_DOCLING_ENV, or `docling` in this
environment's folder. Where it cannot be installed the tests are skipped.
"""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from distildoc.export.bundle import write_bundle
from distildoc.export.docling import docling_files
from distildoc.models.detectors.build import build_detector
from distildoc.predict.kinds import EXACT
from distildoc.predict.layout import load_layout
from distildoc.predict.postprocess import overlaps
from distildoc.schema.pages import Page
from distildoc.schema.preprocess import Preprocess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
HERE = Path(__file__).parent
WIDTH, HEIGHT = 400, 600  # of the page in points
REGIONS = [
    ("Section-header", (0.05, 0.05, 0.95, 0.15), 0.9),
    ("Text", (0.05, 0.2, 0.45, 0.6), 0.8),
    ("List-item", (0.55, 0.2, 0.95, 0.6), 0.8),
    ("Page-footer", (0.4, 0.9, 0.6, 0.97), 0.85),
    ("Picture", (0.05, 0.65, 0.95, 0.85), 0.1),  # below docling's threshold
]
NAMES = "import json; from docling_core.types.doc import DocItemLabel as L; print(json.dumps([m.name for m in L]))"


@pytest.fixture(scope="session")
def python() -> Path:
    """docling's interpreter."""
    folder = Path(os.environ.get("DISTILDOC_DOCLING_ENV", Path(sys.prefix) / "docling"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").is_file():
            command = ["sh", str(HERE / "make_env.sh"), str(folder)]
            environment = {**os.environ, "PYTHON": sys.executable}
            made = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
            if made.returncode:
                pytest.skip(f"docling cannot be installed: {made.stderr.strip()[-300:]}")
    return folder / "bin" / "python"


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    canvas = Canvas(str(tmp_path / "page.pdf"), pagesize=(WIDTH, HEIGHT))
    canvas.setFont("Helvetica", 14)
    for x, y, text in ((40, 540, "A heading"), (40, 400, "Left words"), (240, 400, "Right words"), (180, 40, "7")):
        canvas.drawString(x, y, text)
    canvas.showPage()
    canvas.save()
    return tmp_path / "page.pdf"


def converted(python: Path, bundle: Path, pdf: Path, out: Path) -> dict[str, Any]:
    """What docling makes of a PDF with this bundle."""
    out.mkdir()
    command = [str(python), str(HERE / "convert.py"), str(bundle.parent), bundle.name, str(pdf), str(out)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(out), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    facts: dict[str, Any] = json.loads((out / "facts.json").read_text())
    return facts


def test_docling_finds_the_regions_where_they_are_and_makes_a_document_of_them(
    python: Path, pdf: Path, fixed_layout: Any, tmp_path: Path
) -> None:
    bundle = fixed_layout.write_bundle(tmp_path / "models" / "fixed", REGIONS)
    preprocess = Preprocess(fixed_layout.SIDE, fixed_layout.SIDE)
    for name, content in docling_files(fixed_layout.LABELS, preprocess).items():
        (bundle / name).write_text(json.dumps(content))
    facts = converted(python, bundle, pdf, tmp_path / "out")
    assert (facts["status"], facts["torch"]) == ("success", False)
    (page,) = facts["layout"]
    assert page["size"] == page["image"] == [WIDTH, HEIGHT]  # it feeds pages at 72 dpi
    found = {label: (score, box) for label, score, box in page["regions"]}
    assert set(found) == {"section_header", "text", "list_item", "page_footer"}
    for label, box, score in REGIONS[:4]:
        seen = found[label.lower().replace("-", "_")]
        assert seen[0] == pytest.approx(score, abs=1e-5)
        assert seen[1] == pytest.approx([box[0] * WIDTH, box[1] * HEIGHT, box[2] * WIDTH, box[3] * HEIGHT], abs=0.01)
    items = [(item["label"], item["text"]) for item in facts["items"]]
    assert items == [("section_header", "A heading"), ("text", "Left words"), ("list_item", "Right words")]
    assert "## A heading" in facts["markdown"] and "- Right words" in facts["markdown"]


def test_a_student_finds_in_docling_what_it_finds_here(
    python: Path, pdf: Path, fixed_layout: Any, tmp_path: Path
) -> None:
    student = build_detector("d-fine-micro", labels=fixed_layout.LABELS, size=(128, 128), seed=0, queries=20)
    write_bundle(tmp_path / "models" / "student", student.eval(), preprocess=Preprocess(128, 128))
    facts = converted(python, tmp_path / "models" / "student", pdf, tmp_path / "out")
    assert (facts["status"], facts["torch"]) == ("success", False)
    image = Image.open(tmp_path / "out" / "1.png")
    (here,) = load_layout(tmp_path / "models" / "student").raw([Page("1", "1.png", 1, lambda px: image)])
    (page,) = facts["layout"]
    assert len(page["regions"]) == int((here.scores >= 0.3).sum()) > 0  # docling's threshold
    names = [label.lower().replace("-", "_") for label in here.labels]
    for label, score, box in page["regions"]:
        same = [names[place] == label for place in here.classes]
        near = overlaps(np.array([box], np.float32), here.boxes)[0] > 0.99
        assert np.abs(here.scores[same & near] - score).min() < 1e-4


def test_docling_knows_every_class_that_we_name_for_it(python: Path, fixed_layout: Any) -> None:
    done = subprocess.run([str(python), "-c", NAMES], capture_output=True, text=True, check=True)
    assert {kind.upper() for kind in EXACT.values()} <= set(json.loads(done.stdout.splitlines()[-1]))
