"""How good several layout teachers are alone and together, and from which score on they are believed.

    python benchmarks/poleval_fused.py            (about 3 minutes; needs their runs, see poleval_families.py)

The least score of a fused region is the multiple of 0.05 with the best F1 at IoU .50 on the pages set aside, all
classes together. The test pages are read as well, to say how good the teachers were; nothing is chosen on them.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measuring import ROOT, write_result
from poleval_families import FAMILIES, TEACHERS

from distildoc.data.pageset import PageSet
from distildoc.evaluate.layout import evaluate_layout
from distildoc.predict.fusion import FusedLayouts
from distildoc.predict.layout import OnnxLayout
from distildoc.predict.postprocess import postprocess
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import listed_pages, test_pages
from distildoc.schema.pages import Page
from distildoc.schema.predictions import Layout

LEAST = [round(0.05 * step, 2) for step in range(1, 16)]


class Fixed:
    """Layouts that were found before, for scoring them again and again."""

    def __init__(self, bundle: OnnxLayout | FusedLayouts, pages: PageSet) -> None:
        self.labels = bundle.labels
        self._found = {one.page.id: one for one in bundle.raw(pages.pages) if isinstance(one, Layout)}

    def __call__(self, pages: Iterable[Page]) -> Iterator[Layout]:
        return (self._found[page.id] for page in pages)


def scores(found: Fixed, pages: PageSet, post: Callable[[Layout], Layout] | None = None) -> dict[str, Any]:
    report = evaluate_layout(found, [page for page in pages.pages if isinstance(page, Page)], post=post).report
    names = ("map", "ap50", "ap75") if post is None else ("precision", "recall", "f1")
    return {
        name: {key: round(getattr(report.scores[name], key), 4) for key in ("value", "low", "high")} for name in names
    }


def shown(found: Fixed, pages: PageSet, least: float) -> dict[str, Any]:
    """Precision, recall and F1 of the regions from this score on."""
    return scores(found, pages, partial(postprocess, thresholds=dict.fromkeys(found.labels, least)))


def main() -> None:
    os.chdir(ROOT)
    folders = [FAMILIES["rcnn"].runs / name for name in TEACHERS]
    members = [OnnxLayout(folder / "bundle") for folder in folders]
    together = FusedLayouts(members, folders)
    data = RunFolder(Path(folders[0])).config().data
    held, test = listed_pages(data)[1], test_pages(data, together.labels)
    named = dict(zip(TEACHERS, members, strict=True)) | {"fused": together}
    on_held, on_test = ({name: Fixed(one, pages) for name, one in named.items()} for pages in (held, test))
    tried = {str(least): shown(on_held["fused"], held, least) for least in LEAST}
    best = max(tried, key=lambda least: float(tried[least]["f1"]["value"]))
    facts = {
        "set_aside": {name: scores(found, held) for name, found in on_held.items()},
        "test": {name: scores(found, test) for name, found in on_test.items()},
        "thresholds": tried,
        "threshold": float(best),
        "test_shown": shown(on_test["fused"], test, float(best)),
        "pages": {"set_aside": len(held), "test": len(test)},
    }
    print(write_result("poleval_fused_teachers", facts, seeds=[0], software=["onnxruntime", "numpy"]))
    print(
        f"threshold {best}",
        *(f"{name} {np.round(100 * one['map']['value'], 1)}" for name, one in facts["set_aside"].items()),
    )


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
