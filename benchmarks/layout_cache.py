"""What a detector's answers take on disk a page: its outputs, and the maps of its pyramid, in both precisions.

    python benchmarks/layout_cache.py                                          (about a minute; random weights)

For every teacher and size the sum of its outputs and the maps of all its levels is stored for a few blank pages with
`write_cache`, and the bytes of the files are counted. The result goes to benchmarks/results/layout_cache.json.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from measuring import write_result
from PIL import Image

from distildoc.core.model import Detector
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet
from distildoc.data.targets import BoxTargets
from distildoc.models.detectors.build import build_detector
from distildoc.schema.pages import Page
from distildoc.schema.preprocess import Preprocess
from distildoc.teach.cached import write_cache
from distildoc.teach.live import Live
from distildoc.teach.store import Dtype

LABELS = tuple("abcdefghijk")
TEACHERS = (
    ("d-fine-micro", 320),
    ("d-fine-mini", 320),
    ("d-fine-s", 640),
    ("rtdetrv2-r50", 640),
    ("mask-rcnn-r50", 640),
)
PAGES = 2


def loader_of(size: int) -> Loader:
    blank = Image.new("L", (size, size), 255)
    pages = tuple(Page(f"p{i}", "blank", i, lambda longest: blank) for i in range(1, PAGES + 1))
    found = PageSet(pages, LABELS, "blank")
    preprocess = Preprocess(size, size)
    return Loader(found, LABELS, preprocess, targets=BoxTargets(found, LABELS, preprocess), batch=1, seed=0)


def kib_a_page(teacher: Detector, size: int, taps: tuple[str, ...], dtype: Dtype) -> float:
    with tempfile.TemporaryDirectory() as folder:
        live = Live(teacher, taps=taps)
        store = write_cache(Path(folder) / "cache", live, loader=loader_of(size), dtype=dtype, limit_kib=1 << 20)
        return sum(path.stat().st_size for path in store.folder.glob("*.npy")) / PAGES / 1024


def facts_of(name: str, size: int) -> dict[str, object]:
    teacher = build_detector(name, labels=LABELS, size=(size, size), seed=0).eval()
    levels = tuple(f"level:{i}" for i in range(len(teacher.places.levels)))
    kinds: tuple[Dtype, ...] = ("float32", "float16")
    return {
        "size_px": size,
        **{f"outputs_{dtype}_kib": round(kib_a_page(teacher, size, (), dtype), 1) for dtype in kinds},
        **{f"outputs_and_levels_{dtype}_kib": round(kib_a_page(teacher, size, levels, dtype), 1) for dtype in kinds},
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    facts = {"kib_a_page": {f"{name} at {size}": facts_of(name, size) for name, size in TEACHERS}}
    print(write_result("layout_cache", facts, seeds=[0], software=["torch", "transformers", "numpy"]))


if __name__ == "__main__":
    main()
