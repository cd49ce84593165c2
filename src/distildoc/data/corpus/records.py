"""The files that describe a corpus: labels.csv, COCO files by split, words by page, corpus.json."""

import csv
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from distildoc.data.corpus.classes import PAGE_CLASSES, REGION_CLASSES, SPLITS
from distildoc.data.corpus.page import MadePage, PageKey, PxBox

FORMAT = 1  # of the corpus folder; raised when a reader would have to change
_CYCLE = 10  # pages of a class among which one is val and one is test


@dataclass(frozen=True)
class PageRecord:
    """What the corpus files say about a page; boxes are x0, y0, x1, y1 in pixels."""

    number: int
    page_id: str
    label: str
    width_px: int
    height_px: int
    regions: list[tuple[str, PxBox]]

    @property
    def path(self) -> str:
        """Path of the image inside the corpus folder."""
        return f"images/{self.page_id}.jpg"


def record(page: MadePage) -> PageRecord:
    """The record of a finished page."""
    key = page.key
    return PageRecord(key.number, key.page_id, key.label, page.width_px, page.height_px, page.regions)


def split_of(key: PageKey) -> str:
    """The split of a page: of ten pages of a class one is val, one is test.

    Classes start their cycle at seeded places, so that 16 pages already hold all three splits and the split of a
    page does not depend on how many pages there are.
    """
    starts = [slot % _CYCLE for slot in range(len(PAGE_CLASSES))]
    random.Random(f"{key.seed}/splits").shuffle(starts)
    turn, index = divmod(key.number, len(PAGE_CLASSES))
    slot = (turn + starts[index]) % _CYCLE
    return {0: "val", 5: "test"}.get(slot, "train")


def write_words(folder: Path, page: MadePage) -> None:
    """Write words/{page_id}.json: the words in reading order with their boxes, and the facts the page states."""
    content = {
        "page_id": page.key.page_id,
        "label": page.key.label,
        "width": page.width_px,
        "height": page.height_px,
        "template": page.template,
        "scan": page.regime,
        "facts": page.facts,
        "words": [{"text": text, "box": box} for text, box in page.words],
    }
    path = folder / "words" / f"{page.key.page_id}.json"
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def write_labels(folder: Path, pages: Sequence[tuple[PageRecord, str]]) -> None:
    """Write labels.csv: page_id, path, label, split."""
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("page_id", "path", "label", "split"))
        rows.writerows((page.page_id, page.path, page.label, split) for page, split in pages)


def write_coco(folder: Path, pages: Sequence[tuple[PageRecord, str]]) -> None:
    """Write coco_train.json, coco_val.json and coco_test.json; category ids count from 1 in DocLayNet's order."""
    for split in SPLITS:
        chosen = [page for page, its_split in pages if its_split == split]
        text = json.dumps(coco(chosen), separators=(",", ":"))
        (folder / f"coco_{split}.json").write_text(text, encoding="utf-8")


def coco(pages: Sequence[PageRecord]) -> dict[str, Any]:
    """The regions of some pages as a COCO detection dictionary; boxes are x, y, width, height in pixels."""
    ids = {name: number for number, name in enumerate(REGION_CLASSES, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for page in pages:
        images.append(
            {
                "id": page.number,
                "file_name": page.path,
                "width": page.width_px,
                "height": page.height_px,
                "doc_category": page.label,
            }
        )
        for kind, (x0, y0, x1, y1) in page.regions:
            wide, high = round(x1 - x0, 1), round(y1 - y0, 1)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": page.number,
                    "category_id": ids[kind],
                    "bbox": [x0, y0, wide, high],
                    "area": round(wide * high, 2),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_summary(folder: Path, pages: Sequence[tuple[PageRecord, str]], seed: int, shift: bool) -> None:
    """Write corpus.json: how the corpus was made and what it holds, without dates, so that it is reproducible."""
    libraries = ("reportlab", "pypdfium2", "pillow", "numpy")
    content = {
        "format": FORMAT,
        "seed": seed,
        "shift": shift,
        "pages": len(pages),
        "classes": dict(Counter(page.label for page, _ in pages)),
        "splits": dict(Counter(split for _, split in pages)),
        "regions": dict(sorted(Counter(kind for page, _ in pages for kind, _ in page.regions).items())),
        "software": {name: version(name) for name in libraries},
    }
    (folder / "corpus.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
