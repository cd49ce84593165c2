"""Memory of `predict_files` with a layout bundle on a long PDF, in all five formats; torch must stay out.

    OMP_NUM_THREADS=1 python benchmarks/layout_memory.py                 (about 3 minutes)

Pages are those of the real PDFs in DISTILDOC_DATA/pdfs, again and again, or generated ones where there are none. The
bundle is a small detector with random weights, exported by another process; its thresholds are set so low that every
page is full of regions, which is the hard case for text, Markdown and pictures. Resident memory is read after every
page; `flat` says whether it rises by at most 50 MB after the first 20 pages.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from predict_memory import ALLOWED_MB, FIRST, KEPT, in_process_of, long_pdf, resident_mb, sources

from distildoc.predict.files import predict_files

MODEL = "d-fine-micro"
SIDE = 640  # pixels
LABELS = (
    *("Caption", "Footnote", "Formula", "List-item", "Page-footer", "Page-header"),
    *("Picture", "Section-header", "Table", "Text", "Title"),
)
SHOWN = 0.35  # threshold; random weights give scores from 0.05 to 0.45


def make_bundle(folder: Path, seed: int) -> None:
    """Export a small detector with random weights; runs in a process of its own because it needs torch."""
    from distildoc.export.bundle import write_bundle
    from distildoc.models.detectors.build import build_detector
    from distildoc.schema.preprocess import Preprocess

    model = build_detector(MODEL, labels=LABELS, size=(SIDE, SIDE), seed=seed).eval()
    write_bundle(folder, model, preprocess=Preprocess(SIDE, SIDE), thresholds=dict.fromkeys(LABELS, SHOWN))


def predict_case(bundle: Path, source: Path, out: Path) -> dict[str, Any]:
    """Predict and watch this process; the caller reads the figures from standard output."""
    memory: list[float] = []
    start, wall, cpu = resident_mb(), time.perf_counter(), time.process_time()
    summary = predict_files(bundle, [source], out, threads=1, progress=lambda done, total: memory.append(resident_mb()))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rise = max(memory[FIRST:]) - memory[FIRST - 1]
    pages = json.loads((out / "predictions.json").read_text(encoding="utf-8"))["pages"]
    return {
        "pages": summary.pages,
        "failed": summary.failed,
        "regions_per_page": round(sum(len(page["regions"]) for page in pages) / len(pages), 1),
        "megabytes_written": round(sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6, 1),
        "rss_at_start_mb": round(start, 1),
        f"rss_after_{FIRST}_pages_mb": round(memory[FIRST - 1], 1),
        "rss_most_mb": round(max(memory), 1),
        "rise_after_first_pages_mb": round(rise, 1),
        "flat": rise <= ALLOWED_MB,
        "pages_per_s": round(summary.pages / wall, 2),
        "cpu_s_per_page": round(cpu / summary.pages, 4),
        "torch_imported": "torch" in sys.modules,
        "rss_mb": [round(memory[len(memory) * part // KEPT - 1], 1) for part in range(1, KEPT + 1)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--given", help="a layout bundle to use in place of the random one")
    parser.add_argument("--bundle", help=argparse.SUPPRESS)  # makes the bundle and ends
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)  # predicts one case and ends
    options = parser.parse_args()
    if options.bundle:
        return make_bundle(Path(options.bundle), options.seed)
    if options.case:
        return print(json.dumps(predict_case(*map(Path, options.case))))
    facts: dict[str, Any] = {
        "network": options.given or f"{MODEL}, {SIDE} px, {len(LABELS)} classes, random weights",
        "page_source": "real PDFs" if sources() else "generated",
        "threads": 1,
        "limit": f"at most {ALLOWED_MB} MB after the first {FIRST} pages",
    }
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        bundle = Path(options.given) if options.given else work / "bundle"
        if not options.given:
            in_process_of(__file__, "--bundle", str(bundle), "--seed", str(options.seed))
        long_pdf(work / "long.pdf", options.pages)
        found = in_process_of(__file__, "--case", str(bundle), str(work / "long.pdf"), str(work / "out"))
        facts["long_pdf"] = json.loads(found.splitlines()[-1])
        print(facts["long_pdf"], flush=True)
    from measuring import write_result

    software = ("distildoc", "onnxruntime", "numpy", "Pillow", "pypdfium2")
    print(write_result("layout_memory", facts, seeds=[options.seed], software=software))


if __name__ == "__main__":
    main()
