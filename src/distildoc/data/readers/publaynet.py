"""PubLayNet as its owner ships it: PATH/{train,val}.json and the folders PATH/train and PATH/val of images.

Zhong et al. 2019, arXiv:1908.07836: 335,703 / 11,245 pages of articles, annotated by matching XML and PDF; ids 1 text,
2 title, 3 list, 4 table, 5 figure. The annotations of the test pages came later (ICDAR 2021): put them beside as
test.json. File names start with the number of the article, so that `hold_out` can keep its pages together.
"""

from dataclasses import replace
from pathlib import Path

from distildoc.data.annotations import Repair, Repairs
from distildoc.data.pageset import PageSet
from distildoc.data.readers.coco import coco_file, coco_pages
from distildoc.schema.errors import InputError, closest
from distildoc.schema.pages import Page
from distildoc.schema.taxonomies import TAXONOMIES

SPLITS = ("train", "val", "test")


def read(*, path: str | Path, split: str, repair: Repair = "mend") -> PageSet:
    """Pages of one split; ids are the file names.

    Raises InputError for an unknown split, other classes than PubLayNet's, and as `coco` does.
    """
    root = Path(path)
    if split not in SPLITS:
        raise InputError(f"PubLayNet has no split '{split}'; {closest(split, SPLITS)}")
    file = root / f"{split}.json"
    pages = coco_pages(coco_file(file), root / split, Repairs(str(file), repair), name=f"PubLayNet {split}")
    if pages.labels != TAXONOMIES["publaynet"]:
        raise InputError(f"{file}: its classes are not PubLayNet's five in their order; read it with `kind: coco`")
    return replace(pages, pages=tuple(_of_article(page) for page in pages.pages))


def _of_article(page: Page) -> Page:
    article, line, _ = page.id.rpartition("_")  # PMC3654277_00006.jpg
    return replace(page, document=article) if line else page
