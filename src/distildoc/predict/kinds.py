"""What a class of a layout means for text, whatever its taxonomy calls it.

Kinds carry the names that docling gives them. A class of one of our taxonomies has the kind its map to docling says; a
class that is spelled like one of them but for case and hyphens has the same kind; any other is text.
"""

import re
from collections.abc import Iterator

from distildoc.schema.taxonomies import TAXONOMIES, whole_map

TEXT = "text"
SETS = ("doclaynet", "docling", "publaynet", "pp_doclayout", "pp_doclayout_v2", "docstructbench", "d4la", "prima")
OTHERS = {"heading": "section_header", "paragraph": "text", "code block": "code", "list of items": "list_item"}


def _spelled(name: str) -> str:
    """Small letters with one blank between words: List-item, list_item and ListItem are the same."""
    return " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]+", " ", name).lower().split())


def _classes() -> Iterator[tuple[str, str]]:
    """Classes of our taxonomies with their kinds; of two sets with the same name the first one counts."""
    for taxonomy in SETS:
        to_docling = whole_map(taxonomy, "docling")
        for label in TAXONOMIES[taxonomy]:
            name = to_docling(label)
            if name is not None:
                yield label, _spelled(name).replace(" ", "_")


EXACT = dict(reversed(list(_classes())))
ALIKE = {**OTHERS, **{_spelled(label): kind for label, kind in reversed(list(_classes()))}}


def known_kind(label: str) -> str | None:
    """The kind of a class; None for a name of no taxonomy we know.

    >>> known_kind("List-item"), known_kind("title"), known_kind("para title"), known_kind("stamp")
    ('list_item', 'section_header', 'section_header', None)
    """
    return EXACT.get(label, ALIKE.get(_spelled(label)))


def kind_of(label: str) -> str:
    """The kind of a class; "text" for a name of no taxonomy we know."""
    return known_kind(label) or TEXT
