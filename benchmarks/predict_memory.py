"""Memory and speed of `predict_files` on long PDFs and on a folder of PDFs; torch must stay out.

    OMP_NUM_THREADS=1 python benchmarks/predict_memory.py                 (about 2 minutes)

Pages are those of the real PDFs in DISTILDOC_DATA/pdfs, again and again, or generated ones where there are none. The
bundle is a small network with random weights, exported by another process. Resident memory is read after every page,
each case in a process of its own; `flat` says whether it rises by at most 50 MB after the first 20 pages. A PDF joined
from copies is a hard case: no two copies share a font, so whatever pdfium keeps of the pages it has seen adds up.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from distildoc.predict.files import predict_files

MODEL = "cnn-small"
SIDE = 224  # pixels
LABELS = 16
FIRST = 20  # pages after which memory must stay flat
ALLOWED_MB = 50
KEPT = 25  # values of memory written down, evenly over the pages


def make_bundle(folder: Path, seed: int) -> None:
    """Export a small classifier with random weights; runs in a process of its own because it needs torch."""
    from distildoc.export.bundle import write_bundle
    from distildoc.models.build import build_model
    from distildoc.schema.preprocess import Preprocess

    labels = [f"class {number:02d}" for number in range(LABELS)]
    model = build_model(MODEL, labels=labels, size=(SIDE, SIDE), seed=seed).eval()
    write_bundle(folder, model, preprocess=Preprocess(SIDE, SIDE))


def sources() -> list[Path]:
    """Real PDFs, or none."""
    root = os.environ.get("DISTILDOC_DATA")
    return sorted((Path(root) / "pdfs").glob("*.pdf")) if root else []


def long_pdf(path: Path, pages: int) -> None:
    """One PDF of `pages` pages."""
    found = sources()
    if not found:
        return generated_pdf(path, pages)
    import pypdfium2

    target = pypdfium2.PdfDocument.new()
    while len(target) < pages:
        for source in found:
            with pypdfium2.PdfDocument(source) as document:
                target.import_pages(document, range(min(len(document), pages - len(target))))
            if len(target) >= pages:
                break
    target.save(path)
    target.close()


def generated_pdf(path: Path, pages: int) -> None:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path))
    for page in range(pages):
        for line in range(50):
            canvas.drawString(72, 780 - 14 * line, f"page {page + 1}, line {line + 1}: " + "lorem ipsum " * 5)
        canvas.showPage()
    canvas.save()


def many_pdfs(folder: Path, pages: int) -> None:
    """PDFs of ten pages each."""
    folder.mkdir()
    for number in range(-(-pages // 10)):
        long_pdf(folder / f"{number:03d}.pdf", 10)


def resident_mb() -> float:
    """Resident memory of this process (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def predict_case(bundle: Path, source: Path, out: Path) -> dict[str, Any]:
    """Predict and watch this process; the caller reads the figures from standard output."""
    memory: list[float] = []
    start, wall, cpu = resident_mb(), time.perf_counter(), time.process_time()
    summary = predict_files(bundle, [source], out, threads=1, progress=lambda done, total: memory.append(resident_mb()))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rise = max(memory[FIRST:]) - memory[FIRST - 1]
    half = len(memory) // 2
    return {
        "pages": summary.pages,
        "failed": summary.failed,
        "megabytes_of_pdf": round(
            sum(f.stat().st_size for f in [source, *source.rglob("*.pdf")] if f.is_file()) / 1e6, 2
        ),
        "rss_at_start_mb": round(start, 1),
        f"rss_after_{FIRST}_pages_mb": round(memory[FIRST - 1], 1),
        "rss_most_mb": round(max(memory), 1),
        "rise_after_first_pages_mb": round(rise, 1),
        "rise_in_second_half_mb": round(max(memory[half:]) - memory[half], 1),
        "flat": rise <= ALLOWED_MB,
        "pages_per_s": round(summary.pages / wall, 2),
        "cpu_s_per_page": round(cpu / summary.pages, 4),
        "torch_imported": "torch" in sys.modules,
        "rss_mb": [round(memory[len(memory) * part // KEPT - 1], 1) for part in range(1, KEPT + 1)],
    }


def in_process(*arguments: str) -> str:
    """Run this script with other arguments; its standard output."""
    return in_process_of(__file__, *arguments)


def in_process_of(script: str, *arguments: str) -> str:
    """Run a script in a process of its own; its standard output."""
    done = subprocess.run([sys.executable, script, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=600)
    parser.add_argument("--long-pages", type=int, default=2500, help="pages of the case `longer_pdf`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundle", help=argparse.SUPPRESS)  # makes the bundle and ends
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)  # predicts one case and ends
    options = parser.parse_args()
    if options.bundle:
        return make_bundle(Path(options.bundle), options.seed)
    if options.case:
        return print(json.dumps(predict_case(*map(Path, options.case))))
    facts: dict[str, Any] = {
        "network": f"{MODEL}, {SIDE} px, {LABELS} classes, random weights",
        "page_source": "real PDFs" if sources() else "generated",
        "threads": 1,
        "limit": f"at most {ALLOWED_MB} MB after the first {FIRST} pages",
    }
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        in_process("--bundle", str(work / "bundle"), "--seed", str(options.seed))
        long_pdf(work / "long.pdf", options.pages)
        long_pdf(work / "longer.pdf", options.long_pages)
        many_pdfs(work / "folder", options.pages)
        for name, source in (("one_pdf", "long.pdf"), ("longer_pdf", "longer.pdf"), ("folder_of_pdfs", "folder")):
            found = in_process("--case", *(str(work / part) for part in ("bundle", source, f"out-{name}")))
            facts[name] = json.loads(found.splitlines()[-1])
            print(name, facts[name], flush=True)
    from measuring import write_result

    software = ("distildoc", "onnxruntime", "numpy", "Pillow", "pypdfium2")
    print(write_result("predict_memory", facts, seeds=[options.seed], software=software))


if __name__ == "__main__":
    main()
