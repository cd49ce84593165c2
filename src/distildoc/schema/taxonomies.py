"""Named sets of layout classes, and how a class of one is called in another: `publaynet->doclaynet`.

A map names every class of its source once: with a class of the target (many to one) or with None, which drops its
regions. Where no table is written for a pair, the map goes through DocLayNet. Merged regions stay as they are: of two
boxes that become the same class, one inside the other, both stay. No map splits a class, so that none leads to D4LA,
DocStructBench or PP-DocLayout, which are finer than the others or cut pages otherwise.

Sources of the names: DocLayNet arXiv:2206.01062; PubLayNet arXiv:1908.07836; D4LA arXiv:2308.14978; docling-ibm-models;
PRImA, Antonacopoulos et al. 2009; PP-DocLayout arXiv:2503.17213 (23 classes) and PP-DocLayoutV2 (25); DocStructBench
arXiv:2410.12628. Choices that could have been made otherwise stand beside their lines.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from distildoc.schema.errors import InputError, closest
from distildoc.schema.labels import LabelMap


def _set(names: str) -> tuple[str, ...]:
    return tuple(names.split())


DOCLAYNET = _set("Caption Footnote Formula List-item Page-footer Page-header Picture Section-header Table Text Title")

TAXONOMIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "doclaynet": DOCLAYNET,
        "publaynet": _set("text title list table figure"),
        "d4la": _set(
            """DocTitle ParaTitle ParaText ListText RegionTitle Date LetterHead LetterDear LetterSign Question OtherText
            RegionKV RegionList Abstract Author TableName Table Figure FigureName Equation Reference Footer PageHeader
            PageFooter Number Catalog PageNumber"""
        ),
        "docling": (
            *DOCLAYNET,
            "Document Index",
            "Code",
            "Checkbox-Selected",
            "Checkbox-Unselected",
            "Form",
            "Key-Value Region",
        ),
        "prima": _set("TextRegion ImageRegion TableRegion MathsRegion SeparatorRegion OtherRegion"),
        "pp_doclayout": _set(
            """paragraph_title image text number abstract content figure_title formula table table_title reference
            doc_title footnote header algorithm footer seal chart_title chart formula_number header_image footer_image
            aside_text"""
        ),
        "pp_doclayout_v2": _set(
            """abstract algorithm aside_text chart content display_formula doc_title figure_title footer footer_image
            footnote formula_number header header_image image inline_formula number paragraph_title reference
            reference_content seal table text vertical_text vision_footnote"""
        ),
        "docstructbench": (
            "title",
            "plain text",
            *_set("abandon figure figure_caption table table_caption table_footnote isolate_formula formula_caption"),
        ),
    }
)

_PADDLE_TO_DOCLAYNET: dict[str, str | None] = {  # what both sets of PP-DocLayout have in common
    "abstract": "Text",
    "algorithm": "Text",  # DocLayNet has no class for code
    "aside_text": "Text",
    "chart": "Picture",
    "content": "Table",  # tables of contents are tables in DocLayNet
    "doc_title": "Title",
    "figure_title": "Caption",
    "footer": "Page-footer",
    "footer_image": "Picture",
    "footnote": "Footnote",
    "formula_number": None,  # a part of DocLayNet's Formula
    "header": "Page-header",
    "header_image": "Picture",
    "image": "Picture",
    "number": "Page-footer",  # page numbers; those at the top are fewer
    "paragraph_title": "Section-header",
    "seal": "Picture",
    "table": "Table",
    "text": "Text",
}

_MAPS: Mapping[tuple[str, str], Mapping[str, str | None]] = {
    ("publaynet", "doclaynet"): {
        "text": "Text",  # also captions and footnotes, which PubLayNet does not tell apart
        "title": "Section-header",  # most are headings of sections, one a paper is its title
        "list": "List-item",  # a whole list becomes one item: its items have no boxes
        "table": "Table",
        "figure": "Picture",
    },
    ("doclaynet", "publaynet"): {
        "Caption": "text",
        "Footnote": "text",
        "Formula": None,  # PubLayNet gives formulas no box of their own
        "List-item": "list",  # items, not the list around them
        "Page-footer": None,  # not annotated in PubLayNet, as page headers
        "Page-header": None,
        "Picture": "figure",
        "Section-header": "title",
        "Table": "table",
        "Text": "text",
        "Title": "title",
    },
    ("d4la", "doclaynet"): {
        "DocTitle": "Title",
        "ParaTitle": "Section-header",
        "ParaText": "Text",
        "ListText": "List-item",
        "RegionTitle": "Section-header",
        "Date": "Text",
        "LetterHead": "Page-header",
        "LetterDear": "Text",
        "LetterSign": "Text",
        "Question": "Text",
        "OtherText": "Text",
        "RegionKV": "Text",
        "RegionList": "Table",  # a table without lines
        "Abstract": "Text",
        "Author": "Text",
        "TableName": "Caption",
        "Table": "Table",
        "Figure": "Picture",
        "FigureName": "Caption",
        "Equation": "Formula",
        "Reference": "List-item",
        "Footer": "Footnote",  # page footers are PageFooter
        "PageHeader": "Page-header",
        "PageFooter": "Page-footer",
        "Number": "Text",  # numbers of letters and files
        "Catalog": "Table",  # a table of contents
        "PageNumber": "Page-footer",
    },
    ("docling", "doclaynet"): {
        **{name: name for name in DOCLAYNET},
        "Document Index": "Table",
        "Code": "Text",
        "Checkbox-Selected": "Text",
        "Checkbox-Unselected": "Text",
        "Form": None,  # drawn around regions that have boxes of their own, as the next
        "Key-Value Region": None,
    },
    ("doclaynet", "docling"): {name: name for name in DOCLAYNET},
    ("prima", "doclaynet"): {
        "TextRegion": "Text",
        "ImageRegion": "Picture",
        "TableRegion": "Table",
        "MathsRegion": "Formula",
        "SeparatorRegion": None,
        "OtherRegion": None,
    },
    ("doclaynet", "prima"): {
        **dict.fromkeys(DOCLAYNET, "TextRegion"),
        "Formula": "MathsRegion",
        "Picture": "ImageRegion",
        "Table": "TableRegion",
    },
    ("publaynet", "prima"): {
        "text": "TextRegion",
        "title": "TextRegion",
        "list": "TextRegion",
        "table": "TableRegion",
        "figure": "ImageRegion",
    },
    ("pp_doclayout", "doclaynet"): {
        **_PADDLE_TO_DOCLAYNET,
        "chart_title": "Caption",
        "formula": "Formula",
        "reference": "List-item",  # a whole bibliography becomes one item
        "table_title": "Caption",
    },
    ("pp_doclayout_v2", "doclaynet"): {
        **_PADDLE_TO_DOCLAYNET,
        "display_formula": "Formula",
        "inline_formula": None,  # DocLayNet boxes displayed formulas alone
        "reference": None,  # drawn around entries that have boxes of their own
        "reference_content": "List-item",
        "vertical_text": "Text",
        "vision_footnote": "Footnote",
    },
    ("docstructbench", "doclaynet"): {
        "title": "Section-header",  # titles of documents and of sections
        "plain text": "Text",
        "abandon": None,  # page headers, page footers and notes in one
        "figure": "Picture",
        "figure_caption": "Caption",
        "table": "Table",
        "table_caption": "Caption",
        "table_footnote": "Footnote",
        "isolate_formula": "Formula",
        "formula_caption": None,  # the number, a part of DocLayNet's Formula
    },
}

_FINER: Mapping[tuple[str, str], Mapping[str, str]] = {  # on the way through DocLayNet these keep what it cannot say
    ("d4la", "docling"): {"Catalog": "Document Index", "RegionKV": "Key-Value Region"},
    ("pp_doclayout", "docling"): {"content": "Document Index", "algorithm": "Code"},
    ("pp_doclayout_v2", "docling"): {"content": "Document Index", "algorithm": "Code"},
}


def taxonomy_map(way: str, labels: Sequence[str]) -> LabelMap:
    """The label map that "SOURCE->TARGET" names, as run files write it, for data of these classes.

    Data may lack classes of the source. Raises InputError for a text of another form, a set that has no name here, a
    pair without a way, and for a class that is none of the source's.

    >>> taxonomy_map("publaynet->doclaynet", ["text", "figure"]).rename
    {'text': 'Text', 'figure': 'Picture'}
    """
    source, arrow, target = (part.strip() for part in way.partition("->"))
    if not arrow:
        raise InputError(f"label map '{way}': write it as SOURCE->TARGET, e.g. publaynet->doclaynet")
    whole = whole_map(source, target)
    for name in labels:
        if name not in TAXONOMIES[source]:
            raise InputError(f"label map '{way}': {source} has no class '{name}'; {closest(name, TAXONOMIES[source])}")
    return whole.within(labels)


def whole_map(source: str, target: str) -> LabelMap:
    """The label map from one named set to another; every class of the source is renamed (perhaps to itself) or dropped.

    Raises InputError as `taxonomy_map` does.

    >>> whole_map("docstructbench", "publaynet")("abandon") is None
    True
    """
    for name in (source, target):
        if name not in TAXONOMIES:
            raise InputError(f"unknown label set '{name}'; {closest(name, TAXONOMIES)}")
    table = _table(source, target)
    renamed = {old: new for old, new in table.items() if new is not None}
    return LabelMap(renamed, tuple(old for old, new in table.items() if new is None))


def _table(source: str, target: str) -> Mapping[str, str | None]:
    if source == target:
        return {name: name for name in TAXONOMIES[source]}
    if (source, target) in _MAPS:
        return _MAPS[source, target]
    if (source, "doclaynet") not in _MAPS or ("doclaynet", target) not in _MAPS:
        ways = ", ".join(sorted({pair[1] for pair in _MAPS}))
        raise InputError(
            f"no label map from '{source}' to '{target}': its classes cannot be split; maps lead to {ways}"
        )
    first, second = _MAPS[source, "doclaynet"], _MAPS["doclaynet", target]
    through = {old: None if middle is None else second[middle] for old, middle in first.items()}
    return {**through, **_FINER.get((source, target), {})}
