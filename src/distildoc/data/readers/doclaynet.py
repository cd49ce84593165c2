"""DocLayNet as its owner ships it (the core archive): PATH/COCO/{train,val,test}.json and PATH/PNG.

Pfitzmann et al. 2022, arXiv:2206.01062: 80,863 pages of 1025 x 1025 px, 11 classes, six categories of documents. Some
pages were annotated two or three times; only the record whose `precedence` is 0 counts, as its owner says.
"""

from dataclasses import replace
from pathlib import Path

from distildoc.data.annotations import Repair, Repairs
from distildoc.data.pageset import PageSet
from distildoc.data.readers.coco import coco_file, coco_pages
from distildoc.schema.errors import InputError, closest
from distildoc.schema.taxonomies import TAXONOMIES

SPLITS = ("train", "val", "test")


def read(*, path: str | Path, split: str, repair: Repair = "mend") -> PageSet:
    """Pages of one split; ids are the file names, groups the categories, documents the names of the PDFs.

    Raises InputError for an unknown split, other classes than DocLayNet's, and as `coco` does.
    """
    root = Path(path)
    if split not in SPLITS:
        raise InputError(f"DocLayNet has no split '{split}'; {closest(split, SPLITS)}")
    file = root / "COCO" / f"{split}.json"
    content = coco_file(file)
    first = [image for image in content.images if image.more("precedence") in (0, None)]
    others = {image.id for image in content.images} - {image.id for image in first}
    boxes = [box for box in content.annotations if box.image_id not in others]
    kept = replace(content, images=first, annotations=boxes)
    pages = coco_pages(kept, root / "PNG", Repairs(str(file), repair), name=f"DocLayNet {split}")
    if pages.labels != TAXONOMIES["doclaynet"]:
        raise InputError(f"{file}: its classes are not DocLayNet's 11 in their order; read it with `kind: coco`")
    return pages
