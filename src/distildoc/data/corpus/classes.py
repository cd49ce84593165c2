"""The classes of the built-in corpus: RVL-CDIP's 16 page classes and DocLayNet's 11 region classes.

Both lists keep the order of their data set, so that a position here is an id there. Sources: Harley et al.
2015, arXiv:1502.07058 (RVL-CDIP); Pfitzmann et al. 2022, arXiv:2206.01062 (DocLayNet).
"""

from distildoc.data.readers.rvl_cdip import CLASSES

PAGE_CLASSES = CLASSES

REGION_CLASSES: tuple[str, ...] = (
    "Caption",
    "Footnote",
    "Formula",
    "List-item",
    "Page-footer",
    "Page-header",
    "Picture",
    "Section-header",
    "Table",
    "Text",
    "Title",
)

SPLITS: tuple[str, ...] = ("train", "val", "test")
